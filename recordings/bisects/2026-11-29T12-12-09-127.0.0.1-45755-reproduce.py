"""heartbeat/app-ping-kills: failed 5/5 with, 0/4 without, p = 0.0079

pip install websockets; python 2026-11-29T12-12-09-127.0.0.1-45755-reproduce.py [URL]
"""
import asyncio, sys
import websockets

URL = sys.argv[1] if len(sys.argv) > 1 else 'ws://127.0.0.1:45755/ws/client-1'
HEADERS = []
MESSAGES = ['']

async def main():
    options = dict(additional_headers=HEADERS, origin=None, subprotocols=None, ping_interval=None)
    try:
        async with websockets.connect(URL, compression='deflate', **options) as socket:
            for message in MESSAGES:
                await socket.send(message)
            async with asyncio.timeout(2.171):
                async for answer in socket:
                    print("<", answer[:200])
            print("it hung up:", socket.close_code, socket.close_reason)
    except TimeoutError:
        print("still open after 2.171 s: not reproduced")
    except websockets.InvalidStatus as refused:
        print("it was refused:", refused.response.status_code)
    except websockets.ConnectionClosed as closed:
        print("it hung up:", closed)

asyncio.run(main())
