/** The first byte of a whole message of text. RFC 6455, section 5.2. */
const wholeText = 0x81;

/**
 * A message of text in the frame of a server: one buffer, for one write. The library of WebSockets writes the head and the text apart.
 */
export function textFrame(text: string): Buffer {
  const bytes = Buffer.byteLength(text);
  const head = bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + bytes);
  frame[0] = wholeText;
  if (head === 2) {
    frame[1] = bytes;
  } else if (head === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(bytes, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(bytes), 2);
  }
  // Where each character is a byte, nothing need be encoded.
  frame.write(text, head, bytes === text.length ? 'latin1' : 'utf8');
  return frame;
}
