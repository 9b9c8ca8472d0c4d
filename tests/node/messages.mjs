// The messages that every real client sends; tests/harness/messages.py makes the same. A list is one message in
// fragments.
export const MESSAGES = [
  "grüß dich 👋",
  "",
  Uint8Array.from({ length: 256 }, (_, n) => n),
  ["in ", "three ", "fragments"],
  "0123456789abcdef".repeat(1 << 16),
  Uint8Array.from({ length: 1 << 20 }, (_, n) => (n * n) % 251),
];
