import { FeatureError } from '../core/errors.js';

/** The credentials are refused. The message says why in general words and never holds any part of the token. */
export class InvalidTokenError extends FeatureError {
  override readonly name = 'InvalidTokenError';
  readonly code = 'UNAUTHENTICATED';
}
