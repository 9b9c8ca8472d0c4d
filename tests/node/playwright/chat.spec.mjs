// Two tests of a page, as somebody writes them: one whose connection holds, and one whose connection drops.
import { test as base, expect } from '@playwright/test'
import { withHangup } from '../../../addons/hangup/testing/playwright.mjs'

const { TARGET, HANGUP } = process.env
const test = withHangup(base, { target: TARGET, command: JSON.parse(HANGUP) })

/** Says something on a new connection; gives the answer, or the close code where there is none. */
const say = (page, message) =>
  page.evaluate(
    ([url, said]) =>
      new Promise((resolve) => {
        const socket = new WebSocket(url)
        socket.onopen = () => socket.send(said)
        socket.onmessage = (event) => resolve([event.data, socket.url, socket instanceof WebSocket])
        socket.onclose = (event) => resolve([event.code])
      }),
    [`${TARGET}/json/a`, message],
  )

test('it is answered', async ({ page, hangup }) => {
  await page.goto(TARGET.replace(/^ws/, 'http')) // a page of this machine's: others may not connect to it
  expect(await say(page, '{"a":1}')).toEqual(['{"type":"pong"}', `${hangup.url}/json/a`, true])
})

test('it drops', async ({ page }) => {
  await page.goto(TARGET.replace(/^ws/, 'http')) // a page of this machine's: others may not connect to it
  const [answer] = await say(page, 'ping')
  expect(answer).toBe('{"type":"pong"}')
})
