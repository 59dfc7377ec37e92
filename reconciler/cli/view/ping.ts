/**
 * `ping`: which hosts answer, how fast, hop by hop where there are several, and what stands in the way of the others.
 * Invariant: hosts that do not answer come last; each way ends with its problem, and one in the way of several hosts is told once.
 * Pure.
 */

import type { Problem } from '../../../agent/protocol/problem.ts';
import { containerKinds } from '../../../inventory/connection-spec.ts';
import type { Hop } from '../../connection/session.ts';
import { hostList, sortHosts } from '../../report/host-list.ts';
import { type Line, paintLines, type Span, toned } from '../../report/line.ts';
import { problemLines } from '../../report/problem-text.ts';
import type { Style } from '../../report/style.ts';
import { durationText } from '../../report/time-text.ts';
import { tableLines } from './table.ts';

export interface PingAnswer {
  readonly host: string;
  /** Every host on the way and then itself, as far as the way goes. */
  readonly hops: readonly Hop[];
  /** Round trip on the open line, milliseconds; left out when it did not answer. */
  readonly milliseconds?: number | undefined;
  /** Until the line was open, milliseconds: what all hops took. */
  readonly connectMilliseconds?: number | undefined;
  /** Account and runtime: `root, node 24.21.0`. */
  readonly about?: string | undefined;
  /** Why the way ends before the host, or at it. */
  readonly problem?: Problem | undefined;
}

/** Hosts that the same problem keeps from us. */
interface Silent {
  readonly hosts: readonly string[];
  readonly hops: readonly Hop[];
  readonly problem: Problem;
}

/** A row of the one table, or a line between its rows. */
type Piece = { readonly cells: Span[] } | { readonly line: Line };

/** Columns from which on there is room for whole titles. */
const narrow = 60;

interface Look {
  readonly style: Style;
  readonly width: number;
}

/** The answers as a table, problems below the hops that they are about. */
export function pingView(answers: readonly PingAnswer[], style: Style, width: number): string[] {
  const byName = new Map(answers.map((answer) => [answer.host, answer]));
  const sorted = sortHosts(byName.keys()).flatMap((name) => byName.get(name) ?? []);
  const there = sorted.filter(({ problem }) => problem === undefined);
  const pieces = [
    ...there.flatMap(answerPieces),
    ...silentOnes(sorted).flatMap((silent) => silentPieces(silent, { style, width })),
  ];
  const isAll = there.length === sorted.length;
  const lines: Line[] = [
    ...pieceLines(pieces, { style, width }),
    [],
    [toned(isAll ? 'good' : 'bad', `${there.length} of ${sorted.length} hosts answered`)],
  ];
  return paintLines(lines, style, width);
}

function pieceLines(pieces: readonly Piece[], { style, width }: Look): Line[] {
  const [trip, setUp] = width < narrow ? ['trip', 'in'] : ['round trip', 'connected in'];
  const columns = [
    { title: ' ' },
    { title: 'host', least: 10 },
    { title: trip, align: 'right' as const },
    { title: setUp, align: 'right' as const },
    { title: '', least: 8 },
  ];
  const rows = pieces.flatMap((piece) => ('cells' in piece ? [piece.cells] : []));
  const [head, ...table] = tableLines({ columns, rows }, style, width);
  let next = 0;
  const lines = pieces.map((piece) => ('line' in piece ? piece.line : (table[next++] ?? [])));
  return head === undefined ? lines : [head, ...lines];
}

/** A host reached from here directly is one row; behind others every hop has its own. */
function answerPieces(answer: PingAnswer): Piece[] {
  const { host, milliseconds, connectMilliseconds, about = '' } = answer;
  const cells = [
    toned('good', '✓'),
    toned('strong', host),
    latency(milliseconds),
    toned('dim', duration(connectMilliseconds)),
    toned('dim', about),
  ];
  return [{ cells }, ...(answer.hops.length < 2 ? [] : hopPieces(answer.hops))];
}

function hopPieces(hops: readonly Hop[]): Piece[] {
  return hops.map((hop, index) => ({ cells: hopCells(hop, hops[index - 1]) }));
}

function hopCells(hop: Hop, before: Hop | undefined): Span[] {
  return [
    '',
    hop.problem === undefined ? toned('dim', `· ${hop.host}`) : toned('bad', `! ${hop.host}`),
    toned('dim', latency(hop.roundTripMilliseconds)),
    toned('dim', duration(hop.setUpMilliseconds)),
    toned('dim', wayText(hop, before?.host)),
  ];
}

/** How a host is reached, in words. */
function wayText({ kind }: Hop, before: string | undefined): string {
  const container = containerKinds.find((known) => known === kind);
  if (container !== undefined) return `${container} on ${before ?? 'this machine'}`;
  switch (kind) {
    case 'tunnel':
      return `ssh through ${before ?? 'another host'}`;
    case 'relayed':
      return `ssh from ${before ?? 'another host'}`;
    case 'openssh':
      return before === undefined ? 'the OpenSSH client' : `the OpenSSH client through ${before}`;
    case 'local':
      return 'this machine';
    default:
      return kind;
  }
}

/** Hosts without an answer, together where it is the same hop with the same problem that they lack. */
function silentOnes(answers: readonly PingAnswer[]): Silent[] {
  const groups = new Map<string, Silent>();
  for (const { host, hops, problem } of answers) {
    if (problem === undefined) continue;
    const names = hops.map((hop) => hop.host);
    const key = JSON.stringify(names.at(-1) === host ? [host] : [names, problem.code, problem.message]);
    const hosts = [...(groups.get(key)?.hosts ?? []), host];
    groups.set(key, { hosts, hops, problem });
  }
  return [...groups.values()];
}

function silentPieces({ hosts, hops, problem }: Silent, look: Look): Piece[] {
  const last = hops.at(-1)?.host ?? hosts[0];
  const isDirect = hops.length < 2 && hosts.length === 1 && last === hosts[0];
  const name = toned('strong', hostList(hosts, look.width - 3, look.style));
  const known = last === undefined ? {} : { host: last };
  const below = problemLines(problem, { ...look, indent: isDirect ? 3 : 5, known });
  return [
    { line: [toned('bad', '!'), '  ', name] },
    ...(isDirect ? [] : hopPieces(hops)),
    ...below.map((line) => ({ line })),
  ];
}

function latency(milliseconds: number | undefined): string {
  if (milliseconds === undefined) return '';
  return milliseconds < 10 ? `${milliseconds.toFixed(1)} ms` : durationText(milliseconds);
}

function duration(milliseconds: number | undefined): string {
  return milliseconds === undefined ? '' : durationText(milliseconds);
}
