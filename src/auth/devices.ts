import { deviceFault, isDevice } from '../core/device.js';
import { FeatureError } from '../core/errors.js';
import { shortened } from '../core/text.js';
import { type CredentialsOfRequest, plainName } from './credentials.js';

/*
 * Where the device of a caller is looked for, and nowhere else is this decided: the header `X-Halyard-Device` of a request or of
 * a socket's handshake, and the parameter `device` of `connection_init`. A device in another place of Halyard's own is refused
 * with the right place named, as credentials are: it must never be stated without effect.
 */

/** What a caller stated: a well-formed device id, why it is refused, or null if it stated nothing. */
export type StatedDevice = string | InvalidDeviceError | null;

/** A device is refused. The message names the place, what is expected, and what was found. */
export class InvalidDeviceError extends FeatureError {
  override readonly name = 'InvalidDeviceError';
  readonly code = 'BAD_USER_INPUT';
}

/** The header, as it is written and as Node.js keeps it. */
const header = 'X-Halyard-Device';
const headerKey = 'x-halyard-device';
const parameter = 'device';

/** The header that can only be meant for this one. Those such as `X-Device-Id` are left to a gateway in front. */
const otherHeader = 'X-Halyard-Device-Id';
const otherHeaderKey = 'x-halyard-device-id';

/** Parameters that mean the device, as {@link plainName} writes them. */
const otherNames: ReadonlySet<string> = new Set([
  'device',
  'deviceid',
  'halyarddevice',
  'halyarddeviceid',
  'xhalyarddevice',
  'xhalyarddeviceid',
]);

const ofRequest = `send the header "${header}: <device>".`;
// A close frame has room for 123 bytes, so what is said on sockets is short.
const ofParameters = `send { "${parameter}": "<device>" }.`;

/** The device of an HTTP request. */
export function deviceOfRequest(request: CredentialsOfRequest): StatedDevice {
  return readRequest(request, `The header ${header}`, ofRequest);
}

/** The device of the request that opens a WebSocket. Browsers cannot give it headers, but other clients do. */
export function deviceOfHandshake(request: CredentialsOfRequest): StatedDevice {
  return readRequest(request, `The header ${header} of the handshake`, ofParameters);
}

/** The device in the payload of `connection_init`. Names of parameters are taken in any case, as those of headers are. */
export function deviceOfParameters(parameters: unknown): StatedDevice {
  let found: string | null = null;
  for (const [name, value] of Object.entries(parameters ?? {})) {
    if (value === null || value === undefined) continue;
    if (name.toLowerCase() === parameter) {
      if (found !== null)
        return new InvalidDeviceError(`The connection parameters have "${parameter}" more than once.`);
      if (!isDevice(value)) return malformed(`"${parameter}" in the connection parameters`, value);
      found = value;
    } else {
      const misplaced = isOtherName(name) ? name : misplacedIn(name, value);
      if (misplaced !== null) return notRead(`"${misplaced}" in the connection parameters`, ofParameters);
    }
  }
  return found;
}

/** The device of a socket that may have one in each place. */
export function deviceOfSocket(handshake: StatedDevice, parameters: StatedDevice): StatedDevice {
  if (handshake === null || parameters === null) return handshake ?? parameters;
  if (handshake instanceof InvalidDeviceError) return handshake;
  if (parameters instanceof InvalidDeviceError || parameters === handshake) return parameters;
  return new InvalidDeviceError('The handshake and the connection parameters have different devices: send only one.');
}

function readRequest(
  { headers, rawHeaders, url }: CredentialsOfRequest,
  place: string,
  rightPlace: string,
): StatedDevice {
  const inUrl = url === undefined ? null : misplacedInUrl(url);
  if (inUrl !== null) return notRead(`The parameter "${inUrl}" in the URL`, rightPlace);
  if (headers[otherHeaderKey] !== undefined) return notRead(`The header ${otherHeader}`, rightPlace);
  const device = headers[headerKey];
  if (device === undefined) return null;
  if (isDevice(device)) return device;
  // Node.js joins the values of a repeated header with commas, which no device has.
  return isRepeated(rawHeaders)
    ? new InvalidDeviceError(`${place} is given more than once.`)
    : malformed(place, device);
}

function isRepeated(rawHeaders: readonly string[]): boolean {
  const names = rawHeaders.filter((_text, index) => index % 2 === 0);
  return names.filter(name => name.toLowerCase() === headerKey).length > 1;
}

const isOtherName = (name: string) => otherNames.has(plainName(name));

/** Where an object inside the parameters, such as `headers`, has a device that is meant for Halyard: its path. Null: nowhere. */
function misplacedIn(name: string, value: unknown): string | null {
  if (typeof value !== 'object') return null;
  for (const [inner, stated] of Object.entries(value as object)) {
    if (stated === null || stated === undefined) continue;
    const plain = plainName(inner);
    if (plain.includes('halyard') && otherNames.has(plain)) return `${shortened(name, 20)}.${inner}`;
  }
  return null;
}

function misplacedInUrl(url: string): string | null {
  const start = url.indexOf('?');
  if (start === -1) return null;
  for (const name of new URLSearchParams(url.slice(start)).keys()) if (isOtherName(name)) return name;
  return null;
}

const malformed = (place: string, value: unknown) => new InvalidDeviceError(`${place}: ${deviceFault(value)}`);

const notRead = (what: string, rightPlace: string) => new InvalidDeviceError(`${what} is not read: ${rightPlace}`);
