/**
 * What a host, a group and a range of hosts may be called.
 * Invariant: a name fits into a message, a path segment and an argument without quoting; a range gives at most 65,536 names.
 * Pure.
 */

const namePattern = /^[\p{L}\p{N}_:][\p{L}\p{N}._:%@-]{0,252}$/u;
const rangePattern = /\[([^[\]]*)\]/;
const mostNames = 65_536;

/** Whether a host or group may have this name. */
export function isName(name: string): boolean {
  return namePattern.test(name);
}

export type Expansion =
  | { readonly ok: true; readonly names: readonly string[] }
  | { readonly ok: false; readonly reason: string };

/** The names a host key stands for: `web[01:10]` counts with its zeros, `db[a:c]` goes by letters, `n[0:8:2]` steps. */
export function expandRanges(key: string): Expansion {
  let names: readonly string[] = [''];
  let rest = key;
  for (let found = rangePattern.exec(rest); found !== null; found = rangePattern.exec(rest)) {
    const members = membersOf(found[1] ?? '');
    if (typeof members === 'string') return { ok: false, reason: `range [${found[1]}]: ${members}` };
    if (names.length * members.length > mostNames) {
      return { ok: false, reason: `it stands for more than ${mostNames} hosts` };
    }
    const prefix = rest.slice(0, found.index);
    names = names.flatMap((name) => members.map((member) => name + prefix + member));
    rest = rest.slice(found.index + found[0].length);
  }
  if (/[[\]]/.test(rest)) return { ok: false, reason: 'a bracket has no partner' };
  return { ok: true, names: rest === '' ? names : names.map((name) => name + rest) };
}

function membersOf(range: string): readonly string[] | string {
  const numbers = /^(\d{1,9}):(\d{1,9})(?::(\d{1,9}))?$/.exec(range);
  if (numbers !== null) {
    const [, first = '', last = '', step = '1'] = numbers;
    const padded = first.startsWith('0') && first.length > 1;
    if (padded && first.length !== last.length) return 'with leading zeros both ends need the same length';
    if (!padded && last.startsWith('0') && last.length > 1) return 'the first number lacks the leading zeros';
    return count(Number(first), Number(last), Number(step), (value) =>
      String(value).padStart(padded ? first.length : 0, '0'),
    );
  }
  const letters = /^(?:([a-z]):([a-z])|([A-Z]):([A-Z]))(?::(\d{1,9}))?$/.exec(range);
  if (letters === null) return 'it is neither numbers nor single letters of one case';
  const first = (letters[1] ?? letters[3] ?? '').charCodeAt(0);
  const last = (letters[2] ?? letters[4] ?? '').charCodeAt(0);
  return count(first, last, Number(letters[5] ?? '1'), (value) => String.fromCharCode(value));
}

function count(
  first: number,
  last: number,
  step: number,
  text: (value: number) => string,
): readonly string[] | string {
  if (step === 0) return 'the step is 0';
  if (last < first) return 'it ends before it begins';
  if ((last - first) / step >= mostNames) return `it has more than ${mostNames} members`;
  const members: string[] = [];
  for (let value = first; value <= last; value += step) members.push(text(value));
  return members;
}
