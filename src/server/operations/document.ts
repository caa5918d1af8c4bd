import { type DocumentNode, GraphQLError, parse, Source } from 'graphql';

export interface ParseLimits {
  /** Characters of a document, blanks and comments included. */
  readonly documentLength: number;
  /** Lexical tokens of a document. */
  readonly tokens: number;
}

/**
 * Parses a document that is not too large.
 *
 * Only the tree is kept: without the text, the comments and the chain of tokens, and with the start of each line,
 * from which {@link locate} tells places in a time that depends neither on the text nor on how many errors there are.
 *
 * @throws GraphQLError for a document that is too long or has too many tokens, or that cannot be read.
 */
export function parseDocument(text: string, limits: ParseLimits): DocumentNode {
  if (text.length > limits.documentLength) throw tooLong(text.length, limits.documentLength);
  const source = new Source(text);
  let document: DocumentNode;
  try {
    document = parse(source, { maxTokens: limits.tokens });
  } catch (error) {
    // The parser goes down a level of nesting by calling itself, until the stack ends.
    if (error instanceof RangeError) throw new GraphQLError('Syntax Error: The document is nested too deeply.');
    if (error instanceof GraphQLError && error.message.endsWith('tokens. Parsing aborted.')) {
      throw tooLarge(
        `The document has more than ${limits.tokens} tokens. Use variables for values, such as long lists of ids.`,
      );
    }
    throw error;
  }
  lineStarts.set(source, lineStartsOf(text));
  source.body = '';
  let tokens = 0;
  for (let token = document.loc?.startToken; token != null; ) {
    const { next } = token;
    Object.assign(token, { prev: null, next: null });
    tokens += 1;
    token = next ?? undefined;
  }
  weights.set(document, bytesPerToken * tokens + 2 * text.length);
  return document;
}

/** Bytes of memory that the tree takes for each token, about: a document of 990 short fields took 499 kB of heap. */
const bytesPerToken = 512;

const weights = new WeakMap<DocumentNode, number>();

/** About how many bytes of memory a document of {@link parseDocument} takes. */
export function documentBytes(document: DocumentNode): number {
  return weights.get(document) ?? 0;
}

/** Tells an error where in its document it is. graphql has seen a document of one line. */
export function locate(error: GraphQLError): GraphQLError {
  const { source, positions } = error;
  const starts = source === undefined ? undefined : lineStarts.get(source);
  if (starts === undefined || positions === undefined) return error;
  const locations = positions.map(position => {
    const line = lineOf(starts, position);
    return { line: line + 1, column: position - (starts[line] as number) + 1 };
  });
  return Object.assign(error, { locations });
}

/** By document: at which character each of its lines starts. */
const lineStarts = new WeakMap<Source, readonly number[]>();

function lineStartsOf(text: string): number[] {
  const starts = [0];
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    const isBreak = code === 10 || (code === 13 && text.charCodeAt(index + 1) !== 10);
    if (isBreak) starts.push(index + 1);
  }
  return starts;
}

/** The last line that starts at or before a character. */
function lineOf(starts: readonly number[], position: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] as number) <= position) low = middle;
    else high = middle - 1;
  }
  return low;
}

const tooLong = (length: number, limit: number) =>
  tooLarge(`The document has ${length} characters; at most ${limit} are allowed. Use variables for values.`);

const tooLarge = (message: string) =>
  new GraphQLError(message, { extensions: { code: 'GRAPHQL_PARSE_FAILED', http: { spec: true, status: 400 } } });
