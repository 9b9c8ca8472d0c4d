// hangup for Playwright Test: a page's WebSockets go through a recording proxy, and a test that fails has the report of
// what passed. Copy this file beside your tests (cp "$(hangup addon playwright)" tests/); it needs `hangup` on the PATH
// and nothing from npm but Playwright itself.
//
//   import { test as base, expect } from '@playwright/test'
//   import { withHangup } from './playwright.mjs'
//
//   const test = withHangup(base, { target: 'ws://localhost:8000' })
//
//   test('the chat stays connected', async ({ page }) => { … })
//
// Nothing in the page has to be changed: its connections to the target's host and port are led through the proxy. For
// clients without a page the fixture `hangup` has the proxy's `url`.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const run = promisify(execFile)

const LOOPBACK = /^(127\.0\.0\.1|\[::1\])$/

/** What a page runs before its own scripts. */
function route([from, to]) {
  window.WebSocket = new Proxy(window.WebSocket, {
    construct: (Socket, [url, ...more], made) => {
      const at = new URL(url, location.href)
      const host = at.hostname.replace(/^(127\.0\.0\.1|\[::1\])$/, 'localhost')
      const port = at.port || (/^(wss|https):$/.test(at.protocol) ? '443' : '80')
      const through = `${host}:${port}` === from ? `ws://${to}${at.pathname}${at.search}` : url
      return Reflect.construct(Socket, [through, ...more], made)
    },
  })
}

/** HOST:PORT of a target, as `route` compares it. */
function place(target) {
  const at = new URL(target.replace(/^ws/, 'http'))
  return `${at.hostname.replace(LOOPBACK, 'localhost')}:${at.port || (at.protocol === 'https:' ? '443' : '80')}`
}

/** Starts `hangup proxy`; gives where it listens, its recording, and how to stop it. */
async function start(command, target, recording, options) {
  const words = ['proxy', target, '--listen', '127.0.0.1:0', '--record', recording, '--quiet', '--no-web', ...options]
  const proxy = spawn(command[0], [...command.slice(1), ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(proxy, 'close').catch(() => [])
  const said = []
  proxy.stderr.on('data', (data) => said.push(data))
  const address = await new Promise((resolve, reject) => {
    proxy.once('error', (error) => reject(new Error(`${command[0]} cannot be started: ${error.message}`)))
    proxy.once('close', () => reject(new Error(`hangup proxy did not start: ${said.join('').trim()}`)))
    let found = ''
    createInterface({ input: proxy.stdout }).on('line', (line) => {
      found = /listening on (\S+)/.exec(line)?.[1] ?? found
      if (found && line.includes('recording to')) resolve(found)
    })
  })
  const stop = async () => {
    proxy.kill('SIGTERM')
    await ended
  }
  return { address, recording, stop }
}

/** Attaches the report, and the verdict as text, to a test. A recording without a connection has nothing to tell. */
async function attach(testInfo, command, recording) {
  const report = testInfo.outputPath('hangup-report.html')
  try {
    await run(command[0], [...command.slice(1), 'convert', recording, report])
    await testInfo.attach('hangup report', { path: report, contentType: 'text/html' })
    const why = await run(command[0], [...command.slice(1), 'why', recording, '--markdown']).catch((error) => error)
    if (why.stdout) await testInfo.attach('hangup why', { body: why.stdout, contentType: 'text/markdown' })
  } catch (error) {
    await testInfo.attach('hangup', { body: `no report: ${error.stderr || error.message}`, contentType: 'text/plain' })
  }
}

/**
 * Playwright's `test` with the fixture `hangup`, which every test has.
 *
 * @param {object} base `test` of @playwright/test, or one that was extended already
 * @param {{target: string, command?: string[], options?: string[], always?: boolean}} settings `target` is the
 *   backend's URL, `command` how hangup is started (`['hangup']`), `options` are further ones for `hangup proxy`
 *   (`['--filter', 'drop-heartbeat']`); with `always` a test that passes has the report as well
 */
export function withHangup(base, { target, command = ['hangup'], options = [], always = false }) {
  return base.extend({
    hangup: [
      async ({ context }, use, testInfo) => {
        const recording = testInfo.outputPath('hangup.jsonl')
        const proxy = await start(command, target, recording, options)
        try {
          await context.addInitScript(route, [place(target), proxy.address])
          await use({ url: `ws://${proxy.address}`, recording })
        } finally {
          await proxy.stop()
        }
        if (always || testInfo.status !== testInfo.expectedStatus) await attach(testInfo, command, recording)
        else await rm(recording, { force: true })
      },
      { auto: true },
    ],
  })
}
