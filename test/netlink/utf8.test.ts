import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeUtf8, encodeUtf8 } from '../../src/netlink/utf8.ts';

test('text becomes the bytes that Node makes of it', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.nat(0xffff).map((unit) => String.fromCharCode(unit)) }), (text) => {
      expect(Buffer.from(encodeUtf8(text))).toEqual(Buffer.from(text));
    }),
  );
});

test('text survives its bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(decodeUtf8(encodeUtf8(text))).toBe(text);
    }),
  );
});

test('a text longer than a call can have arguments survives its bytes', () => {
  const text = '€x\u{1f600}'.repeat(200_000);
  expect(decodeUtf8(encodeUtf8(text)) === text).toBe(true);
});

test.each([
  { what: 'a lone continuation', digits: '41804142', text: 'A\ufffdAB' },
  { what: 'a cut-off sequence', digits: '41e282', text: 'A\ufffd\ufffd' },
  { what: 'an overlong slash', digits: 'c0af', text: '\ufffd\ufffd' },
  { what: 'an overlong three bytes', digits: 'e08080', text: '\ufffd\ufffd\ufffd' },
  { what: 'a surrogate', digits: 'eda080', text: '\ufffd\ufffd\ufffd' },
  { what: 'more than Unicode has', digits: 'f4908080', text: '\ufffd\ufffd\ufffd\ufffd' },
])('$what becomes a replacement for each byte', ({ digits, text }) => {
  expect(decodeUtf8(Buffer.from(digits, 'hex'))).toBe(text);
});

test('no bytes make the decoder throw', () => {
  fc.assert(fc.property(fc.uint8Array(), (any) => void decodeUtf8(any)));
});
