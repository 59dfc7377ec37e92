/**
 * Everything the two sides say to each other, side by side.
 * Invariant: every message is validated on arrival by the schema of its direction; ids correlate, and authority comes
 * from the line a message came over, never from what it claims.
 * Pure; docs/protocol.md shows the same bytes and messages.
 */

import { contentSchema, sha256Schema } from './blob.ts';
import { factsSchema } from './facts.ts';
import { countsSchema, resourceReportSchema } from './outcome.ts';
import { planDeltaSchema, rolePlanSchema } from './plan.ts';
import { problemSchema } from './problem-schema.ts';
import * as z from './schema.ts';

export const convergeModes = ['apply', 'check'] as const;
export type ConvergeMode = (typeof convergeModes)[number];

/** How the plan of a converge call travels: whole, as a delta, or already there. */
const planOnWire = z.union([
  z.object({ whole: rolePlanSchema }),
  z.object({ delta: planDeltaSchema }),
  z.object({ held: z.literal(true) }),
]);

const id = z.number;

function message<T extends string, M extends z.Members>(type: T, members: M) {
  return z.object({ type: z.literal(type), ...members });
}

const convergeMessage = message('converge', {
  id,
  mode: z.oneOf(convergeModes),
  /** The run this belongs to; the journal answers with it. */
  run: z.string,
  /** Key of the plan among those an agent holds: `environment/role`. */
  key: z.string,
  /** Opaque identity of the plan, given by the reconciler. */
  digest: z.string,
  plan: planOnWire,
  /** Contents that follow this message at once as chunk frames, in this order. */
  inline: z.optional(z.array(sha256Schema)),
  tags: z.optionalStrings,
  skipTags: z.optionalStrings,
  /** The plan was applied before and nothing of it is new: commands that leave nothing to look at are not repeated. */
  drift: z.optionalBoolean,
  /** Seconds to wait for another run's host lock; 0 answers agent.busy at once. */
  lockWait: z.optionalNumber,
});

const execMessage = message('exec', {
  id,
  argv: z.array(z.string),
  stdin: z.optionalString,
  cwd: z.optionalString,
  /** Seconds. */
  timeout: z.number,
});

const openMessage = message('open', { id, argv: z.array(z.string) });

/** More bytes of one stream of a program may be sent: of its output to the reconciler, of its input to the agent. */
const windowMessage = message('window', { id, channel: z.oneOf([0, 1, 2]), bytes: z.number });

/** How a program's streams end: its input only; all of them, and it is given time to end; the program at once. */
export const streamEnds = ['stdin', 'release', 'kill'] as const;
const shutMessage = message('shut', { id, how: z.oneOf(streamEnds) });

/** A range of a content goes into a program's input from what the agent keeps, as it is or as chunk frames. */
export const supplyForms = ['raw', 'chunk'] as const;
export type SupplyForm = (typeof supplyForms)[number];
const supplyMessage = message('supply', {
  id,
  /** The id that opened the program. */
  program: z.number,
  content: contentSchema,
  offset: z.number,
  bytes: z.number,
  form: z.oneOf(supplyForms),
});

export const reconcilerMessageSchema = z.variants('type', [
  /** Answer to hello: the session is open. `credit` bytes of events may be sent before more is granted. */
  message('welcome', { heartbeat: z.number, credit: z.number }),
  convergeMessage,
  execMessage,
  message('facts', { id }),
  /** Stop at the next resource boundary (converge) or kill (exec). */
  message('cancel', { id, reason: z.string }),
  /** Starts a program whose streams travel as stream frames, beside whatever else the agent does. */
  openMessage,
  windowMessage,
  shutMessage,
  supplyMessage,
  /** The asked content will not come. */
  message('refuse', { sha256: sha256Schema, problem: problemSchema }),
  /** More bytes of events may be sent. */
  message('credit', { bytes: z.number }),
  /** These runs of the journal are recorded; the agent forgets them. */
  message('recorded', { runs: z.array(z.string) }),
  message('ping', { id }),
  message('pong', { id }),
  message('close', { reason: z.string }),
]);
export type ReconcilerMessage = z.Infer<typeof reconcilerMessageSchema>;
export type ConvergeMessage = z.Infer<typeof convergeMessage>;
export type ExecMessage = z.Infer<typeof execMessage>;
export type OpenMessage = z.Infer<typeof openMessage>;
export type WindowMessage = z.Infer<typeof windowMessage>;
export type ShutMessage = z.Infer<typeof shutMessage>;
export type SupplyMessage = z.Infer<typeof supplyMessage>;

/** Progress inside a converge or exec call. */
export const agentEventSchema = /* @__PURE__ */ z.lazy(() =>
  z.variants('event', [
    z.object({ event: z.literal('started'), resource: z.string, handler: z.optionalString }),
    z.object({
      event: z.literal('output'),
      resource: z.string,
      stream: z.oneOf(['stdout', 'stderr']),
      text: z.string,
    }),
    z.object({
      event: z.literal('retrying'),
      resource: z.string,
      attempt: z.number,
      problem: problemSchema,
    }),
    z.object({ event: z.literal('finished'), report: resourceReportSchema }),
    z.object({ event: z.literal('waiting'), reason: z.string }),
  ]),
);
export type AgentEvent = z.Infer<typeof agentEventSchema>;

/** How one converge call ended: complete is false when it stopped before its last resource. */
export const convergeResultSchema = z.object({
  key: z.string,
  digest: z.string,
  run: z.string,
  mode: z.oneOf(convergeModes),
  complete: z.boolean,
  ok: z.boolean,
  outcomes: countsSchema,
  reports: z.array(resourceReportSchema),
  /** Why it stopped early, or could not start. */
  problem: z.optional(problemSchema),
  milliseconds: z.number,
});
export type ConvergeResult = z.Infer<typeof convergeResultSchema>;

/** What the host remembers of a run whose end no session has recorded yet. */
export const journalEntrySchema = z.object({
  run: z.string,
  key: z.string,
  digest: z.string,
  startedAt: z.string,
  /** Absent while the run's end is unknown: the agent was killed in the middle. */
  result: z.optional(convergeResultSchema),
  reports: z.array(resourceReportSchema),
});
export type JournalEntry = z.Infer<typeof journalEntrySchema>;

export const agentMessageSchema = /* @__PURE__ */ z.lazy(() =>
  z.variants('type', [
    message('hello', {
      protocol: z.number,
      agent: z.string,
      pid: z.number,
      node: z.string,
      facts: factsSchema,
      factProblems: z.array(problemSchema),
      /** key → digest of plans this process holds. */
      holds: z.record(z.string),
      journal: z.array(journalEntrySchema),
    }),
    message('events', { id, events: z.array(agentEventSchema) }),
    message('converged', { id, result: convergeResultSchema }),
    message('executed', {
      id,
      status: z.nullable(z.number),
      signal: z.nullable(z.string),
      problem: z.optional(problemSchema),
    }),
    /** A program has ended; its output came before. Without having started: why. */
    message('exited', {
      id,
      status: z.nullable(z.number),
      signal: z.nullable(z.string),
      problem: z.optional(problemSchema),
    }),
    windowMessage,
    /** A supply is in the program's input; with a problem nothing of it is. */
    message('supplied', { id, problem: z.optional(problemSchema) }),
    message('facts', { id, facts: factsSchema, problems: z.array(problemSchema) }),
    /** Asks for `bytes` bytes of content from `offset` on: a grant of credit for exactly that many. */
    message('need', { sha256: sha256Schema, offset: z.number, bytes: z.number }),
    message('ping', { id }),
    message('pong', { id }),
    /** The agent ends; nothing follows. */
    message('goodbye', { problem: z.optional(problemSchema) }),
  ]),
);
export type AgentMessage = z.Infer<typeof agentMessageSchema>;
export type HelloMessage = Extract<AgentMessage, { type: 'hello' }>;
