// Run by tests/test_playwright.py: Chromium as it is on this machine, and results where the test says.
export default {
  testDir: '.',
  outputDir: process.env.RESULTS,
  reporter: 'json',
  workers: 1,
  use: {
    browserName: 'chromium',
    launchOptions: {
      executablePath: process.env.CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-dev-shm-usage'],
    },
  },
}
