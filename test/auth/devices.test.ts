import { describe, expect, it } from 'vitest';
import {
  deviceOfHandshake,
  deviceOfParameters,
  deviceOfRequest,
  deviceOfSocket,
  InvalidDeviceError,
} from '../../src/auth/devices.js';

const device = '0d9c4f0e-9a5b-4c39-8a3e-5f0d1f1c2b3a';

/** A request with these headers, as Node.js shows it. */
const requestWith = (rawHeaders: readonly string[] = [], url = '/graphql') => {
  const headers: Record<string, string> = {};
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name = '', value = ''] = rawHeaders.slice(index, index + 2);
    const key = name.toLowerCase();
    headers[key] = headers[key] === undefined ? value : `${headers[key]}, ${value}`;
  }
  return { headers, rawHeaders, url };
};

describe('the device of a request', () => {
  it('is the header X-Halyard-Device, and null without it', () => {
    expect(deviceOfRequest(requestWith(['X-HALYARD-Device', device]))).toBe(device);
    expect(deviceOfRequest(requestWith())).toBeNull();
    expect(deviceOfRequest(requestWith(['x-device-id', 'of a gateway']))).toBeNull();
    expect(deviceOfRequest(requestWith([], '/graphql?query={devices}&devices=1'))).toBeNull();
  });

  it('is refused when it is given more than once, also with the same value', () => {
    expect(deviceOfRequest(requestWith(['X-Halyard-Device', device, 'x-halyard-device', device]))).toMatchObject({
      code: 'BAD_USER_INPUT',
      message: 'The header X-Halyard-Device is given more than once.',
    });
  });

  it.each(['device', 'DEVICE', 'deviceId', 'device_id', 'x-halyard-device', 'halyardDevice', '%64evice'])(
    'is refused in the URL as %s',
    name => {
      expect(deviceOfRequest(requestWith(['x-halyard-device', device], `/graphql?a=1&${name}=x`))).toMatchObject({
        message: `The parameter "${decodeURIComponent(name)}" in the URL is not read: send the header "X-Halyard-Device: <device>".`,
      });
    },
  );

  it('is refused in the header X-Halyard-Device-Id', () => {
    expect(deviceOfRequest(requestWith(['X-Halyard-Device-Id', device]))).toMatchObject({
      message: 'The header X-Halyard-Device-Id is not read: send the header "X-Halyard-Device: <device>".',
    });
  });
});

describe('the device of a socket', () => {
  it.each(['device', 'Device', 'DEVICE'])('is the connection parameter %s', name => {
    expect(deviceOfParameters({ [name]: device, authorization: 'x' })).toBe(device);
  });

  it.each<[string, unknown]>([
    ['no parameters', undefined],
    ['null', null],
    ['empty values', { device: null, deviceId: undefined, headers: { 'X-Halyard-Device': null } }],
    ['parameters of another kind', { client: { device: 'phone' }, devices: 2, ['x'.repeat(40)]: 'x' }],
  ])('is null for %s', (_name, parameters) => {
    expect(deviceOfParameters(parameters)).toBeNull();
  });

  it.each<[string, unknown]>([
    ['deviceId', { deviceId: device }],
    ['device_id', { device, device_id: device }],
    ['X-Halyard-Device', { 'X-Halyard-Device': device }],
    ['headers.x-halyard-device', { headers: { 'x-halyard-device': device } }],
  ])('is refused as %s, with the right place named', (name, parameters) => {
    expect(deviceOfParameters(parameters)).toMatchObject({
      message: `"${name}" in the connection parameters is not read: send { "device": "<device>" }.`,
    });
  });

  it('may stand in both places if it is the same', () => {
    expect(deviceOfSocket(device, null)).toBe(device);
    expect(deviceOfSocket(null, device)).toBe(device);
    expect(deviceOfSocket(device, device)).toBe(device);
    expect(deviceOfSocket(device, 'another-device')).toBeInstanceOf(InvalidDeviceError);
    const refused = new InvalidDeviceError('no');
    expect(deviceOfSocket(refused, device)).toBe(refused);
    expect(deviceOfSocket(device, refused)).toBe(refused);
    expect(deviceOfSocket(null, refused)).toBe(refused);
  });

  it('is refused in words that a close frame has room for', () => {
    const long = 'h'.repeat(100);
    for (const refused of [
      deviceOfParameters({ device: 'x'.repeat(35_000) }),
      deviceOfParameters({ device: '12345678😀' }),
      deviceOfParameters({ [long]: { 'x-halyard-device-id': device } }),
      deviceOfHandshake(requestWith(['x-halyard-device', 'ÿ2345678'])),
      deviceOfHandshake(requestWith(['x-halyard-device', device], '/graphql?x-halyard-device-id=1')),
      deviceOfSocket('another-device', device),
    ]) {
      expect(refused).toBeInstanceOf(InvalidDeviceError);
      expect(Buffer.byteLength((refused as InvalidDeviceError).message)).toBeLessThanOrEqual(123);
    }
  });
});
