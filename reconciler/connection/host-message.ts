/**
 * What a host sent, from the bytes of a frame to a message that the rest may rely on.
 * Invariant: form, depth and length of everything in it are bounded; its problems have known codes with our disposition and a
 * hint, and name no host, role or environment but by what we add ourselves.
 * Never trusts what a host claims; never throws anything but a ProblemError.
 */

import { inflateRawSync } from 'node:zlib';
import { type Frame, frameLimit, frameTypes } from '../../agent/protocol/frame.ts';
import {
  type AgentEvent,
  type AgentMessage,
  agentMessageSchema,
  type ConvergeResult,
  type JournalEntry,
} from '../../agent/protocol/message.ts';
import type { ResourceReport } from '../../agent/protocol/outcome.ts';
import { type Place, type Problem, ProblemError } from '../../agent/protocol/problem.ts';
import type { AgentProblemCode } from '../../agent/protocol/problem-codes.ts';
import { hintedAgentProblem as agentProblem, agentProblems } from '../base/problem-codes/agent.ts';

/** Levels that a message may be nested; what custom facts need is far below. */
const depthLimit = 100;
/** Characters of all facts of a host together, as JSON: they stay in memory and in the state. */
const factsLimit = 4 * 1024 * 1024;
/** Characters of a text that has no limit of its own. */
const textLimit = 16 * 1024;
const diffLimit = 1024 * 1024;
const causesLimit = 8;
const linesLimit = 50;
const lineLimit = 2000;
/** Runs that the journal of an honest agent tells of, ten times over. */
const journalLimit = 1000;
const countLimit = 1e9;

/** The text of a message frame; inflating stops where a frame must end. */
export function messageText(frame: Frame): string {
  if (frame.type !== frameTypes.deflated) return frame.body.toString('utf8');
  try {
    return inflateRawSync(frame.body, { maxOutputLength: frameLimit }).toString('utf8');
  } catch (error) {
    throw refusal('protocol.bad-frame', `cannot be inflated: ${(error as Error).message}`);
  }
}

/** The message that a text is. Throws a ProblemError with protocol.bad-frame or protocol.bad-message. */
export function readMessage(text: string): AgentMessage {
  const value = parse(text);
  if (isDeeper(value, depthLimit)) throw refusal('protocol.bad-message', 'it is nested too deeply');
  const parsed = agentMessageSchema.safeParse(value);
  if (parsed.success) return adopt(parsed.data);
  const issue = parsed.error.issues[0];
  const place = issue?.path.join('.').slice(0, 200) ?? '';
  throw refusal('protocol.bad-message', `at ${place || 'the top'}: ${issue?.message ?? 'invalid'}`);
}

function refusal(code: AgentProblemCode, message: string): ProblemError {
  return new ProblemError(agentProblem(code, message));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw refusal('protocol.bad-frame', `not JSON: ${(error as Error).message.slice(0, 200)}`);
  }
}

/** Looks level by level, because a hostile depth is what recursion does not survive. */
function isDeeper(value: unknown, limit: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > limit) return true;
    const below: unknown[] = [];
    for (const each of level) {
      if (typeof each !== 'object' || each === null) continue;
      for (const member of Object.values(each)) if (typeof member === 'object') below.push(member);
    }
    level = below;
  }
  return false;
}

const adopters: {
  readonly [T in AgentMessage['type']]: (message: Extract<AgentMessage, { type: T }>) => AgentMessage;
} = {
  hello: ({ facts, factProblems, journal, ...rest }) => {
    if (journal.length > journalLimit)
      throw refusal('protocol.bad-message', `the journal has ${journal.length} runs`);
    return {
      ...cut(rest),
      facts: boundedFacts(facts),
      factProblems: adoptProblems(factProblems),
      journal: journal.map(adoptEntry),
    };
  },
  events: (message) => ({ ...message, events: message.events.map(adoptEvent) }),
  converged: (message) => ({ ...message, result: adoptResult(message.result) }),
  executed: ({ problem, ...rest }) => ({ ...cut(rest), ...adopted(problem) }),
  facts: (message) => ({
    ...message,
    facts: boundedFacts(message.facts),
    problems: adoptProblems(message.problems),
  }),
  exited: ({ problem, ...rest }) => ({ ...cut(rest), ...adopted(problem) }),
  supplied: ({ problem, ...rest }) => ({ ...rest, ...adopted(problem) }),
  window: (message) => message,
  need: (message) => message,
  ping: (message) => message,
  pong: (message) => message,
  goodbye: ({ problem, ...rest }) => ({ ...rest, ...adopted(problem) }),
};

function adopt(message: AgentMessage): AgentMessage {
  return (adopters[message.type] as (message: AgentMessage) => AgentMessage)(message);
}

function adoptEvent(event: AgentEvent): AgentEvent {
  switch (event.event) {
    case 'output':
      return { ...event, resource: cut(event.resource) };
    case 'finished':
      return { event: 'finished', report: adoptReport(event.report) };
    case 'retrying': {
      const { problem, ...rest } = event;
      return { ...cut(rest), problem: adoptProblem(problem) };
    }
    case 'started':
    case 'waiting':
      return cut(event);
    default:
      return event satisfies never;
  }
}

function adoptReport({ problem, ...rest }: ResourceReport): ResourceReport {
  return { ...cut(rest), ...adopted(problem) };
}

function adoptResult({ problem, reports, ...rest }: ConvergeResult): ConvergeResult {
  const counts = Object.values(rest.outcomes);
  if (!counts.every((count) => Number.isInteger(count) && count >= 0 && count <= countLimit))
    throw refusal('protocol.bad-message', 'it counts outcomes in numbers that are none');
  return { ...cut(rest), reports: reports.map(adoptReport), ...adopted(problem) };
}

function adoptEntry({ result, reports, ...rest }: JournalEntry): JournalEntry {
  const ended = result === undefined ? {} : { result: adoptResult(result) };
  return { ...cut(rest), reports: reports.map(adoptReport), ...ended };
}

function adopted(problem: Problem | undefined): { readonly problem?: Problem } {
  return problem === undefined ? {} : { problem: adoptProblem(problem) };
}

function adoptProblems(problems: readonly Problem[]): Problem[] {
  return problems.map((problem) => adoptProblem(problem));
}

/** A host's problem with a code of ours: its word counts for what happened there, not for what is to be done or where it is. */
function adoptProblem(problem: Problem, depth = 0): Problem {
  const { code, message, hint, where, cause, lines } = problem;
  const isKnown = Object.hasOwn(agentProblems, code);
  const known = isKnown ? (code as AgentProblemCode) : 'agent.internal';
  const text = isKnown ? message : `${code}: ${message}`;
  return {
    ...agentProblem(known, cut(text)),
    ...(isKnown && hint !== '' && { hint: cut(hint) }),
    ...(where !== undefined && { where: placeThere(where) }),
    ...(cause !== undefined && depth < causesLimit && { cause: adoptProblem(cause, depth + 1) }),
    ...(lines !== undefined && { lines: lines.slice(-linesLimit).map((line) => cutText(line, lineLimit)) }),
  };
}

/** Which host, role and environment this is about is known from the route the message took. */
function placeThere({ file, line, column, resource }: Place): Place {
  return cut({
    ...(file !== undefined && { file }),
    ...(line !== undefined && { line }),
    ...(column !== undefined && { column }),
    ...(resource !== undefined && { resource }),
  });
}

function boundedFacts<T>(facts: T): T {
  const { length } = JSON.stringify(facts);
  if (length <= factsLimit) return facts;
  throw refusal('protocol.bad-message', `the facts have ${length} characters; ${factsLimit} is the most`);
}

/** The same value with no text longer than its limit; what needs nothing is given back as it is. */
function cut<T>(value: T, key = ''): T {
  if (typeof value === 'string') return cutText(value, key === 'diff' ? diffLimit : textLimit) as T;
  if (typeof value !== 'object' || value === null) return value;
  const names = Object.entries(value);
  if (names.every(([name, member]) => cut(member, name) === member)) return value;
  const members = names.map(([name, member]) => [cutText(name, textLimit), cut(member, name)] as const);
  return (Array.isArray(value) ? members.map(([, member]) => member) : Object.fromEntries(members)) as T;
}

function cutText(text: string, limit: number): string {
  return text.length > limit ? `${text.slice(0, limit)}…` : text;
}
