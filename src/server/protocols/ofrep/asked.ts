import { type Caller, mayStateContext } from '../../../auth/caller.js';
import { type Attributes, attributeIssues } from '../../../core/attributes.js';
import { isDevice } from '../../../core/device.js';
import { maxFlagKeyLength } from '../../../core/flag.js';
import { isPlainObject, typeName } from '../../../core/json.js';
import { canonicalUserId, userIdFault } from '../../../core/user-id.js';
import type { EvaluationContext } from '../../../features/service.js';

/** The most flags that one request may name. */
export const maxNamedFlags = 1_000;

/** The context that a request is answered for. */
export interface Asked {
  readonly context: EvaluationContext;
  /** Only these flags; null: all. */
  readonly keys: readonly string[] | null;
  /** Whether the request states something about the subject that does not count, because its caller may not say it. */
  readonly isContextIgnored: boolean;
}

/** Why a request is not answered. */
export interface Fault {
  readonly status: 400 | 403;
  readonly code: 'BAD_REQUEST' | 'BAD_USER_INPUT' | 'FORBIDDEN';
  readonly message: string;
}

/**
 * Reads the body of a request. Nobody but services, readers and admins may say anything about a user: for all others the credential, and
 * the device, say it. So for a viewer the rest of the context is ignored, because providers send it unasked.
 * @param device the device in the header. It wins over one in the context.
 */
export function readAsked(text: string, caller: Caller, device: string | null): Asked | Fault {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return { status: 400, code: 'BAD_REQUEST', message: 'The body is no JSON.' };
  }
  if (!isPlainObject(body)) return badBody(body);
  const stated = body['context'] ?? {};
  if (!isPlainObject(stated)) return invalid('context', `Expected an object, found ${typeName(stated)}.`);
  const { targetingKey: key, flags, ...attributes } = stated;
  if (key != null && typeof key !== 'string') {
    return invalid('context.targetingKey', `Expected text, found ${typeName(key)}.`);
  }
  const keys = readKeys(flags);
  if (isFault(keys)) return keys;
  // Some providers write the empty text where there is no key.
  const targetingKey = key == null || key === '' ? null : key;
  const context = contextOf(caller, { targetingKey, attributes, device });
  return isFault(context) ? context : { ...context, keys };
}

export function isFault<Value extends object>(value: Value | Fault | null): value is Fault {
  return value !== null && 'status' in value;
}

interface Stated {
  readonly targetingKey: string | null;
  readonly attributes: { readonly [name: string]: unknown };
  readonly device: string | null;
}

function contextOf(caller: Caller, stated: Stated): Omit<Asked, 'keys'> | Fault {
  const { targetingKey, attributes, device } = stated;
  if (mayStateContext(caller)) {
    const fault = targetingKey === null ? null : userIdFault(targetingKey);
    if (fault !== null) return invalid('context.targetingKey', fault);
    const [issue] = attributeIssues(attributes, ['context']);
    if (issue !== undefined) return invalid(issue.path.join('.'), issue.message);
    return { context: { userId: targetingKey, device, attributes: attributes as Attributes }, isContextIgnored: false };
  }
  const hasAttributes = Object.keys(attributes).length > 0;
  const { userId, attributes: vouched } = caller;
  if (userId === null) {
    const isTaken = device === null && isDevice(targetingKey);
    const isIgnored = targetingKey !== null && !isTaken && targetingKey !== device;
    return {
      context: { userId, device: isTaken ? targetingKey : device, attributes: vouched },
      isContextIgnored: hasAttributes || isIgnored,
    };
  }
  if (targetingKey !== null && canonicalUserId(targetingKey) !== userId) {
    return {
      status: 403,
      code: 'FORBIDDEN',
      message:
        'The targeting key is not the user of the token. A token of a user is answered for this user alone: leave the targeting key out, or send the token of a service.',
    };
  }
  return { context: { userId, device, attributes: vouched }, isContextIgnored: hasAttributes };
}

function readKeys(flags: unknown): readonly string[] | null | Fault {
  if (flags == null) return null;
  const expected = 'Expected a list of keys of flags';
  if (!Array.isArray(flags)) return invalid('context.flags', `${expected}, found ${typeName(flags)}.`);
  if (flags.length > maxNamedFlags) {
    return invalid('context.flags', `${expected}, ${maxNamedFlags} at most, found ${flags.length}.`);
  }
  const wrong = flags.findIndex(key => typeof key !== 'string' || key.length > maxFlagKeyLength);
  if (wrong !== -1) {
    const found = typeof flags[wrong] === 'string' ? `${(flags[wrong] as string).length}` : typeName(flags[wrong]);
    return invalid(
      `context.flags.${wrong}`,
      `Expected text of at most ${maxFlagKeyLength} characters, found ${found}.`,
    );
  }
  return [...new Set(flags as string[])];
}

const badBody = (body: unknown): Fault => ({
  status: 400,
  code: 'BAD_REQUEST',
  message: `Expected a body such as {"context": {"targetingKey": "ann"}}, found ${typeName(body)}.`,
});

const invalid = (path: string, message: string): Fault => ({
  status: 400,
  code: 'BAD_USER_INPUT',
  message: `${path}: ${message}`,
});
