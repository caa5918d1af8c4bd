import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { deviceFault, isDevice } from '../../src/core/device.js';

const expected = 'Expected 8 to 64 characters of A-Z, a-z, 0-9, - and _';

describe('a device id', () => {
  it.each([randomUUID(), randomUUID().toUpperCase(), 'a2345678', '--------', 'AZaz09-_', 'x'.repeat(64)])(
    'may be %s',
    device => {
      expect(isDevice(device)).toBe(true);
      expect(deviceFault(device)).toBeNull();
    },
  );

  it.each<[unknown, string]>([
    ['', 'an empty text'],
    ['a234567', '7'],
    ['x'.repeat(65), '65'],
    ['device 12', '" "'],
    ['a', '1'],
    ['device.12', '"."'],
    ['device-123,device-123', '","'],
    ['devicé-123', 'U+00E9'],
    ['device-😀', 'U+1F600'],
    ['device-12\n', 'U+000A'],
    ['device-\ud83d', 'U+D83D'],
    ['device-\0', 'U+0000'],
    ['ｄｅｖｉｃｅ－１', 'U+FF44'],
    [12_345_678, 'a number'],
    [null, 'null'],
    [undefined, 'undefined'],
    [true, 'a boolean'],
    [['device-123'], 'a list'],
    [{ id: 'device-123' }, 'an object'],
  ])('is not %j', (value, found) => {
    expect(isDevice(value)).toBe(false);
    expect(deviceFault(value)).toBe(`${expected}, found ${found}.`);
  });

  it('is not looked for in a text of any length', () => {
    expect(deviceFault(' '.repeat(10_000_000))).toBe(`${expected}, found 10,000,000.`);
  });
});
