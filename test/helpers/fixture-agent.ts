/**
 * A small agent for tests of the line: speaks the protocol over stdin and stdout and does nothing to the machine.
 * Invariant: real frames and messages; behaviour is chosen by the role's name in a converge.
 * Never used outside tests.
 */

import { createHash } from 'node:crypto';
import { chunkSize } from '../../agent/protocol/blob.ts';
import { decodeMessage, encodeMessage } from '../../agent/protocol/codec.ts';
import {
  decodeChunk,
  encodeChunk,
  encodeFrame,
  FrameDecoder,
  frameTypes,
} from '../../agent/protocol/frame.ts';
import {
  type AgentMessage,
  type ConvergeMessage,
  type ReconcilerMessage,
  reconcilerMessageSchema,
} from '../../agent/protocol/message.ts';
import { applyDelta, planContents, type RolePlan } from '../../agent/protocol/plan.ts';
import { agentProblem } from '../../agent/protocol/problem-codes.ts';
import { PROTOCOL_VERSION } from '../../agent/protocol/version.ts';

const facts = {
  os: null,
  hardware: null,
  network: null,
  packageManager: null,
  initSystem: null,
  virtualization: null,
  mounts: null,
  account: {
    user: process.env.USER ?? '',
    uid: process.getuid?.() ?? 0,
    gid: 0,
    home: process.env.HOME ?? '',
  },
  uptime: null,
  machineId: null,
  custom: null,
};

const plans = new Map<string, { digest: string; plan: RolePlan }>();
const chunks = new Map<string, Buffer[]>();
let waiting:
  | { message: ConvergeMessage; plan: RolePlan; form: string; wanted: Map<string, number> }
  | undefined;

function send(message: AgentMessage): void {
  for (const part of encodeMessage(message)) process.stdout.write(part);
}

function answer(message: ConvergeMessage, text: string, problem?: ReturnType<typeof agentProblem>): void {
  const { key, digest, run, mode } = message;
  const report = { resource: text, outcome: 'unchanged' as const, changes: [], milliseconds: 0 };
  send({ type: 'events', id: message.id, events: [{ event: 'finished', report }] });
  send({
    type: 'converged',
    id: message.id,
    result: {
      key,
      digest,
      run,
      mode,
      complete: problem === undefined,
      ok: problem === undefined,
      outcomes: { unchanged: 1, changed: 0, failed: 0, skipped: 0, unknown: 0 },
      reports: [report],
      ...(problem !== undefined && { problem }),
      milliseconds: 0,
    },
  });
}

function misbehave(message: ConvergeMessage, plan: RolePlan): boolean {
  switch (plan.role) {
    case 'dies':
      process.stderr.write('last words of the agent\n');
      process.kill(process.pid, 'SIGKILL');
      return true;
    case 'garbage':
      process.stdout.write('GARBAGE instead of frames\n');
      return true;
    case 'oversized':
      process.stdout.write(Buffer.from([0x7f, 0xff, 0xff, 0xff, 1]));
      return true;
    case 'curious':
      send({ type: 'need', sha256: 'a'.repeat(64), offset: 0, bytes: 10 });
      return true;
    case 'greedy':
      for (const [sha256, size] of planContents(plan))
        send({ type: 'need', sha256, offset: 0, bytes: size + 1 });
      return true;
    case 'quiet':
      return true;
    case 'frozen':
      process.kill(process.pid, 'SIGSTOP');
      return true;
    case 'flood': {
      const late = { type: 'facts', id: 1, facts, problems: [], nothing: 'x'.repeat(15_000_000) };
      const frame = encodeFrame(frameTypes.message, Buffer.from(JSON.stringify(late)));
      for (let count = 0; count < 8; count += 1) for (const part of frame) process.stdout.write(part);
      return true;
    }
    case 'farewell':
      send({ type: 'goodbye', problem: agentProblem('agent.link-lost', 'it had enough') });
      process.exit(1);
      return true;
    case 'generous':
      for (const part of encodeChunk({ sha256: 'a'.repeat(64), offset: 0, bytes: Buffer.from('x') })) {
        process.stdout.write(part);
      }
      return true;
    case 'forward':
      send({ type: 'events', id: 99, events: [] });
      return true;
    case 'inventive':
      send({ type: 'executed', id: 99, status: 0, signal: null });
      return true;
    case 'repeating':
      hello();
      return true;
    case 'liar':
      answer({ ...message, run: 'another run' }, 'lie');
      return true;
    default:
      return false;
  }
}

function converge(message: ConvergeMessage): void {
  const held = plans.get(message.key);
  const form = Object.keys(message.plan)[0] ?? '';
  let plan: RolePlan | undefined;
  if ('whole' in message.plan) plan = message.plan.whole;
  else if ('delta' in message.plan) {
    if (held?.digest === message.plan.delta.base) plan = applyDelta(held.plan, message.plan.delta);
  } else if (held?.digest === message.digest) plan = held.plan;
  if (plan === undefined) {
    answer(message, form, agentProblem('agent.plan-not-held', message.key));
    return;
  }
  plans.set(message.key, { digest: message.digest, plan });
  if (misbehave(message, plan)) return;
  if (plan.role === 'forgetful') plans.clear();
  const inline = new Set(message.inline ?? []);
  const wanted = new Map([...planContents(plan)].filter(() => plan.role !== 'lazy'));
  waiting = { message, plan, form, wanted };
  for (const [sha256, size] of wanted) {
    if (inline.has(sha256) || chunks.has(sha256)) continue;
    for (let at = 0; at < size; at += chunkSize) {
      send({ type: 'need', sha256, offset: at, bytes: Math.min(chunkSize, size - at) });
    }
  }
  settle();
}

/** Answers when all contents have come, with the form of the plan and the verified hashes. */
function settle(): void {
  if (waiting === undefined) return;
  const { message, wanted, form } = waiting;
  const verified: string[] = [];
  for (const [sha256, size] of wanted) {
    const bytes = Buffer.concat(chunks.get(sha256) ?? []);
    if (bytes.length < size || !chunks.has(sha256)) return;
    if (createHash('sha256').update(bytes).digest('hex') === sha256) verified.push(sha256.slice(0, 8));
  }
  waiting = undefined;
  answer(message, `${form} inline=${(message.inline ?? []).length} verified=${verified.length}`);
}

function take(message: ReconcilerMessage): void {
  switch (message.type) {
    case 'converge':
      converge(message);
      return;
    case 'exec':
      send({
        type: 'events',
        id: message.id,
        events: [{ event: 'output', resource: '', stream: 'stdout', text: message.argv.join(' ') }],
      });
      if (message.argv[0] !== 'hang') send({ type: 'executed', id: message.id, status: 0, signal: null });
      return;
    case 'cancel':
      if (waiting !== undefined)
        answer(waiting.message, 'cancelled', agentProblem('agent.cancelled', message.reason));
      else send({ type: 'executed', id: message.id, status: null, signal: 'SIGTERM' });
      return;
    case 'refuse':
      if (waiting !== undefined)
        answer(waiting.message, 'refused', message.problem as ReturnType<typeof agentProblem>);
      waiting = undefined;
      return;
    case 'facts':
      send({ type: 'facts', id: message.id, facts, problems: [] });
      return;
    case 'ping':
      send({ type: 'pong', id: message.id });
      return;
    case 'close':
      send({ type: 'goodbye' });
      process.exit(0);
  }
}

const decoder = new FrameDecoder();
process.stdin.on('data', (bytes: Buffer) => {
  for (const frame of decoder.push(bytes)) {
    if (frame.type === frameTypes.chunk) {
      const chunk = decodeChunk(frame.body);
      chunks.set(chunk.sha256, [...(chunks.get(chunk.sha256) ?? []), Buffer.from(chunk.bytes)]);
      settle();
    } else take(decodeMessage(frame, reconcilerMessageSchema));
  }
});
process.stdin.on('end', () => process.exit(0));

hello();

function hello(): void {
  send({
    type: 'hello',
    protocol:
      process.env.FIXTURE_PROTOCOL === undefined ? PROTOCOL_VERSION : Number(process.env.FIXTURE_PROTOCOL),
    agent: process.env.TOWLINE_AGENT_DIGEST ?? '',
    pid: process.pid,
    node: process.version,
    facts,
    factProblems: [],
    holds: {},
    journal: [],
  });
}
