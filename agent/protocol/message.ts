/**
 * Everything the two sides say to each other, side by side.
 * Invariant: every message is validated on arrival by the schema of its direction; ids correlate, and authority comes
 * from the line a message came over, never from what it claims.
 * Pure; docs/protocol.md shows the same bytes and messages.
 */

import { sha256Schema } from './blob.ts';
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

const convergeMessage = z.object({
  type: z.literal('converge'),
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
  tags: z.optional(z.array(z.string)),
  skipTags: z.optional(z.array(z.string)),
  /** The plan was applied before and nothing of it is new: commands that leave nothing to look at are not repeated. */
  drift: z.optional(z.boolean),
  /** Seconds to wait for another run's host lock; 0 answers agent.busy at once. */
  lockWait: z.optional(z.number),
});

const execMessage = z.object({
  type: z.literal('exec'),
  id,
  argv: z.array(z.string),
  stdin: z.optional(z.string),
  cwd: z.optional(z.string),
  /** Seconds. */
  timeout: z.number,
});

export const reconcilerMessageSchema = z.variants('type', [
  /** Answer to hello: the session is open. `credit` bytes of events may be sent before more is granted. */
  z.object({ type: z.literal('welcome'), heartbeat: z.number, credit: z.number }),
  convergeMessage,
  execMessage,
  z.object({ type: z.literal('facts'), id }),
  /** Stop at the next resource boundary (converge) or kill (exec). */
  z.object({ type: z.literal('cancel'), id, reason: z.string }),
  /** The asked content will not come. */
  z.object({ type: z.literal('refuse'), sha256: sha256Schema, problem: problemSchema }),
  /** More bytes of events may be sent. */
  z.object({ type: z.literal('credit'), bytes: z.number }),
  /** These runs of the journal are recorded; the agent forgets them. */
  z.object({ type: z.literal('recorded'), runs: z.array(z.string) }),
  z.object({ type: z.literal('ping'), id }),
  z.object({ type: z.literal('pong'), id }),
  z.object({ type: z.literal('close'), reason: z.string }),
]);
export type ReconcilerMessage = z.Infer<typeof reconcilerMessageSchema>;
export type ConvergeMessage = z.Infer<typeof convergeMessage>;
export type ExecMessage = z.Infer<typeof execMessage>;

/** Progress inside a converge or exec call. */
export const agentEventSchema = /* @__PURE__ */ z.lazy(() =>
  z.variants('event', [
    z.object({ event: z.literal('started'), resource: z.string, handler: z.optional(z.string) }),
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
    z.object({
      type: z.literal('hello'),
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
    z.object({ type: z.literal('events'), id, events: z.array(agentEventSchema) }),
    z.object({ type: z.literal('converged'), id, result: convergeResultSchema }),
    z.object({
      type: z.literal('executed'),
      id,
      status: z.nullable(z.number),
      signal: z.nullable(z.string),
      problem: z.optional(problemSchema),
    }),
    z.object({ type: z.literal('facts'), id, facts: factsSchema, problems: z.array(problemSchema) }),
    /** Asks for `bytes` bytes of content from `offset` on: a grant of credit for exactly that many. */
    z.object({ type: z.literal('need'), sha256: sha256Schema, offset: z.number, bytes: z.number }),
    z.object({ type: z.literal('ping'), id }),
    z.object({ type: z.literal('pong'), id }),
    /** The agent ends; nothing follows. */
    z.object({ type: z.literal('goodbye'), problem: z.optional(problemSchema) }),
  ]),
);
export type AgentMessage = z.Infer<typeof agentMessageSchema>;
export type HelloMessage = Extract<AgentMessage, { type: 'hello' }>;
