/**
 * `hosts trust`: each host with the keys it shows, and what is known of them.
 * Invariant: a fingerprint is never cut; a key that differs from a known one cannot be missed.
 * Pure.
 */

import type { KeyFinding, TrustSurvey } from '../../connection/host-trust.ts';
import { fingerprint, keyType } from '../../connection/known-hosts.ts';
import { counted, sortHosts } from '../../report/host-list.ts';
import { hanging, type Line, paintLines, type Span, toned } from '../../report/line.ts';
import { problemLines } from '../../report/problem-text.ts';
import type { Style } from '../../report/style.ts';

interface Look {
  readonly style: Style;
  readonly width: number;
}

/** The hosts of one round: what is new first to be read last, above the question. */
export function trustView(surveys: readonly TrustSurvey[], style: Style, width: number): string[] {
  const look = { style, width };
  const order = new Map(sortHosts(surveys.map(({ host }) => host)).map((host, index) => [host, index]));
  const rank = (survey: TrustSurvey): number => (isFresh(survey) ? 1 : 0);
  const sorted = [...surveys].sort(
    (a, b) => rank(a) - rank(b) || (order.get(a.host) ?? 0) - (order.get(b.host) ?? 0),
  );
  return paintLines(
    sorted.flatMap((survey) => surveyLines(survey, look)),
    style,
    width,
  );
}

/** Whether a survey has something to record, and nothing that speaks against it. */
export function isFresh({ keys }: TrustSurvey): boolean {
  return keys.some(({ state }) => state === 'new') && !isRefused({ keys });
}

/** Whether a key differs from what is known, or was revoked. */
export function isRefused({ keys }: Pick<TrustSurvey, 'keys'>): boolean {
  return keys.some(({ state }) => state === 'changed' || state === 'revoked');
}

function surveyLines(survey: TrustSurvey, look: Look): Line[] {
  const { host, name, problem, skipped, keys, file } = survey;
  const named: Span[] = name === host ? [] : [toned('dim', `  ${name}`)];
  if (problem !== undefined) {
    const lines = problemLines(problem, { ...look, indent: 2, known: { host } });
    return [[toned('bad', '! '), toned('strong', host), ...named], ...lines];
  }
  if (skipped !== undefined)
    return hanging([toned('dim', '· '), toned('strong', host), '  '], skipped, { ...look, tone: 'dim' });
  if (keys.every(({ state }) => state === 'known')) {
    const known = `${counted(keys.length, 'key')} known in ${file}`;
    return [[toned('good', '✓ '), toned('strong', host), ...named, toned('dim', `  ${known}`)]];
  }
  const sign = isRefused(survey) ? toned('bad', '! ') : toned('warn', '+ ');
  return [
    [sign, toned('strong', host), ...named],
    ...keys.flatMap((key) => keyLines(key, look)),
    ...cureLines(keys, look),
  ];
}

/** What stands behind a fingerprint; what is wrong with a key has lines of its own, which nothing cuts. */
const marks: Readonly<Record<KeyFinding['state'], readonly Span[]>> = {
  new: ['  ', toned('warn', 'new')],
  known: ['  ', toned('good', 'known')],
  changed: [],
  revoked: [],
};

function keyLines({ key, state, line }: KeyFinding, look: Look): Line[] {
  const tone = state === 'new' ? 'strong' : 'dim';
  const shown: Line = ['    ', shortType(key).padEnd(9), toned(tone, fingerprint(key)), ...marks[state]];
  if (line === undefined) return [shown];
  const place = `${line.file}:${line.line}`;
  const listed = `${line.type} ${fingerprint(Buffer.from(line.key, 'base64'))}`;
  const words = state === 'revoked' ? `REVOKED at ${place}` : `CHANGED: ${place} lists ${listed}`;
  return [shown, ...hanging(['      '], words, { ...look, tone: 'bad' })];
}

/** The commands that remove old keys, each once: mostly one for all keys of a host. */
function cureLines(keys: readonly KeyFinding[], look: Look): Line[] {
  const commands = new Set(keys.flatMap(({ removal }) => removal ?? []));
  return [...commands].flatMap((command) =>
    hanging(['    '], `if the host was set up anew: ${command}`, look),
  );
}

const shortTypes: Readonly<Record<string, string>> = {
  'ssh-ed25519': 'ed25519',
  'ssh-rsa': 'rsa',
  'ecdsa-sha2-nistp256': 'ecdsa',
  'ecdsa-sha2-nistp384': 'ecdsa-384',
  'ecdsa-sha2-nistp521': 'ecdsa-521',
};

function shortType(key: Buffer): string {
  const type = keyType(key.toString('base64')) ?? 'unknown';
  return shortTypes[type] ?? type;
}
