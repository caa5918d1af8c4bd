import { RE2JS } from 're2js';
import { type SearchBudget, searchLimits } from './search-budget.js';
import { bounded, shortened } from './text.js';

/** The longest text that a pattern is searched in, in UTF-16 code units. Patterns never match longer texts. */
export const maxMatchedLength = 1_000;

/**
 * Bytes that the automaton of a pattern may use. RE2 builds its automaton while it reads. Adversarial texts need a new state
 * for each character, which costs a hundred times as much as a known state. With the library's default of 8 MB one pattern
 * could spend half a second on new states. With this limit RE2 soon continues without an automaton.
 */
const automatonBytes = 16_384;

/** Patterns with more steps by the rough count are not compiled: compiling them could take half a second. */
const mostRoughSteps = 10 * searchLimits.patternSteps;

/** Whether a pattern is found in a text. The time is bounded by {@link searchLimits} and {@link maxMatchedLength}. */
export function isFound(pattern: RE2JS, text: string): boolean {
  return text.length <= maxMatchedLength && pattern.test(text);
}

/** Compiles a storable pattern. Null if it has a fault; `report` then got it. Never throws. */
export function compilePattern(source: string, budget: SearchBudget, report: (message: string) => void): RE2JS | null {
  if (!budget.spend('patternCharacters', source.length, report)) return null;
  const rough = roughSteps(source);
  if (rough > mostRoughSteps) {
    budget.spend('patternSteps', rough, report);
    return null;
  }
  let pattern: RE2JS;
  try {
    pattern = RE2JS.compile(source);
  } catch (error) {
    report(`Expected an RE2 pattern: ${shortened(error instanceof Error ? error.message : String(error))}.`);
    return null;
  }
  if (!budget.spend('patternSteps', pattern.programSize(), report)) return null;
  const { dfa } = pattern.re2();
  dfa.stateBudget = automatonBytes;
  dfa.memBudget = automatonBytes;
  return pattern;
}

const repetition = bounded(/^\{(\d{1,4})(?:,(\d{0,4}))?\}/, 11);

/**
 * The approximate number of steps of a pattern: one for each character and class, multiplied by the counted repetitions
 * around it. Never throws. The result for an invalid pattern has no meaning.
 */
function roughSteps(source: string): number {
  /** The steps before each open group. */
  const outside: number[] = [];
  let total = 0;
  /** The steps that a repetition at this place would repeat. */
  let last = 0;
  for (let at = 0; at < source.length; ) {
    const [counted, least = '', most = ''] = repetition.exec(source.slice(at, at + 11)) ?? [];
    if (counted !== undefined) {
      total += last * (Math.max(Number(least), Number(most), 1) - 1);
      at += counted.length;
    } else if (source[at] === '(') {
      outside.push(total);
      total = 0;
      at += 1;
    } else if (source[at] === ')') {
      last = total;
      total += outside.pop() ?? 0;
      at += 1;
    } else {
      last = 1;
      total += 1;
      at = endOfOne(source, at);
    }
  }
  return outside.reduce((sum, steps) => sum + steps, total);
}

/** The end of the escape, class or character that starts at `start`. */
function endOfOne(source: string, start: number): number {
  if (source[start] === '\\') {
    // The braces of `\x{1000}` and `\p{Greek}` are not repetitions.
    const hasBraces = 'xpP'.includes(source[start + 1] ?? ' ') && source[start + 2] === '{';
    const end = hasBraces ? source.indexOf('}', start) : -1;
    return end === -1 ? start + 2 : end + 1;
  }
  if (source[start] !== '[') return start + 1;
  let at = start + (source[start + 1] === '^' ? 2 : 1);
  // A bracket in the first place is a literal.
  if (source[at] === ']') at += 1;
  while (at < source.length && source[at] !== ']') at += source[at] === '\\' ? 2 : 1;
  return at + 1;
}
