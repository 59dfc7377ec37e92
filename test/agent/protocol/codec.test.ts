/**
 * Messages to bytes and back, and what a hostile peer can do with them: nothing but end the line.
 * Invariant: fuzzing is seeded; whatever comes in, only a ProblemError comes out.
 * Never a timing assertion.
 */

import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMessage, encodeMessage } from '../../../agent/protocol/codec.ts';
import {
  encodeFrame,
  type Frame,
  FrameDecoder,
  frameLimit,
  frameTypes,
} from '../../../agent/protocol/frame.ts';
import { agentMessageSchema, reconcilerMessageSchema } from '../../../agent/protocol/message.ts';
import { noFacts } from '../test-host.ts';
import { thrownCode } from './thrown-code.ts';

function frameOf(message: object): Frame {
  const [frame] = new FrameDecoder().push(Buffer.concat(encodeMessage(message)));
  if (frame === undefined) throw new Error('no frame');
  return frame;
}

const text = (body: string): Frame => ({ type: frameTypes.message, body: Buffer.from(body) });

const samples: readonly object[] = [
  { type: 'welcome', heartbeat: 5, credit: 100 },
  {
    type: 'converge',
    id: 1,
    mode: 'apply',
    run: 'r',
    key: 'e/r',
    digest: 'd',
    plan: {
      whole: {
        environment: 'e',
        host: 'h',
        role: 'r',
        resources: [
          {
            id: 'file:a',
            kind: 'file',
            wanted: { path: '/a', state: 'present' },
            meta: { when: { op: 'not', of: { op: 'get', path: ['a', 'rc'] } }, notify: ['h'], tags: ['t'] },
          },
        ],
        handlers: [{ name: 'h', resources: [] }],
      },
    },
    inline: ['a'.repeat(64)],
  },
  { type: 'exec', id: 2, argv: ['true'], timeout: 5 },
  { type: 'refuse', sha256: 'b'.repeat(64), problem: problem(3) },
  { type: 'recorded', runs: ['a', 'b'] },
];
const agentSamples: readonly object[] = [
  {
    type: 'hello',
    protocol: 1,
    agent: 'a',
    pid: 1,
    node: 'v18',
    facts: noFacts,
    factProblems: [problem(1)],
    holds: { a: 'b' },
    journal: [],
  },
  {
    type: 'events',
    id: 1,
    events: [{ event: 'output', resource: 'command:a', stream: 'stdout', text: 'x' }],
  },
];

function problem(depth: number): object {
  const cause = depth > 0 ? { cause: problem(depth - 1) } : {};
  return { code: 'a.b', disposition: 'retry', message: 'm', hint: '', ...cause };
}

describe('messages', () => {
  it('come back as they were sent, deflated or not', () => {
    for (const message of samples)
      expect(decodeMessage(frameOf(message), reconcilerMessageSchema)).toEqual(message);
    for (const message of agentSamples)
      expect(decodeMessage(frameOf(message), agentMessageSchema)).toEqual(message);
    const long = { type: 'recorded', runs: Array.from({ length: 200 }, (_, index) => `run-${index}`) };
    expect(frameOf(long).type).toBe(frameTypes.deflated);
    expect(frameOf(long).body.length).toBeLessThan(JSON.stringify(long).length / 2);
    expect(decodeMessage(frameOf(long), reconcilerMessageSchema)).toEqual(long);
  });

  it('leave members behind that their schema does not name', () => {
    const message = { type: 'ping', id: 1, extra: true };
    expect(decodeMessage(frameOf(message), reconcilerMessageSchema)).toEqual({ type: 'ping', id: 1 });
    const polluted = text('{"type":"ping","id":1,"__proto__":{"id":2}}');
    expect(decodeMessage(polluted, reconcilerMessageSchema)).toEqual({ type: 'ping', id: 1 });
  });

  it('say where they are wrong', () => {
    const act = () =>
      decodeMessage(text('{"type":"exec","id":1,"argv":["a",5],"timeout":1}'), reconcilerMessageSchema);
    expect(act).toThrow('at argv.1: expected text');
    expect(thrownCode(act)).toBe('protocol.bad-message');
  });

  it('that inflate beyond the limit are refused', () => {
    const bomb = deflateRawSync(Buffer.alloc(frameLimit + 1, ' '), { level: 9 });
    expect(bomb.length).toBeLessThan(frameLimit / 100);
    const frame = { type: frameTypes.deflated, body: bomb };
    expect(thrownCode(() => decodeMessage(frame, reconcilerMessageSchema))).toBe('protocol.bad-frame');
  });

  it('that the peer would refuse are not sent', () => {
    const huge = { type: 'recorded', runs: ['x'.repeat(frameLimit)] };
    expect(thrownCode(() => encodeMessage(huge))).toBe('protocol.frame-too-large');
  });

  it('nested deeper than the stack are refused', () => {
    const deep = (open: string, middle: string, close: string): string =>
      open.repeat(100_000) + middle + close.repeat(100_000);
    const cause = deep('{"code":"a","disposition":"retry","message":"","hint":"","cause":', 'null', '}');
    const refuse = `{"type":"refuse","sha256":"${'a'.repeat(64)}","problem":${cause}}`;
    expect(thrownCode(() => decodeMessage(text(refuse), reconcilerMessageSchema))).toBe(
      'protocol.bad-message',
    );
    const goodbye = `{"type":"goodbye","problem":${cause}}`;
    expect(thrownCode(() => decodeMessage(text(goodbye), agentMessageSchema))).toBe('protocol.bad-message');
  });

  it('of millions of wrong members end with their first few', () => {
    const journal = `[${'0,'.repeat(2_000_000)}0]`;
    const hello = JSON.stringify(agentSamples[0]).replace('"journal":[]', `"journal":${journal}`);
    const parsed = agentMessageSchema.safeParse(JSON.parse(hello));
    expect(parsed.success ? 0 : parsed.error.issues.length).toBe(100);
  });

  it('mutated in any way give a message or a problem, never another error', () => {
    const all = [...samples, ...agentSamples].map((message) => Buffer.concat(encodeMessage(message)));
    let refused = 0;
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.nat(all.length - 1), edits, fc.nat(), (which, changes, end) => {
        const bytes = Buffer.from(all[which] as Buffer);
        for (const [place, byte] of changes) bytes[place % bytes.length] = byte;
        const sent = end % 4 === 0 ? bytes.subarray(0, end % bytes.length) : bytes;
        const act = () => {
          for (const frame of new FrameDecoder().push(sent)) {
            thrownCode(() => decodeMessage(frame, agentMessageSchema));
            decodeMessage(frame, reconcilerMessageSchema);
          }
        };
        if (thrownCode(act) !== 'none') refused += 1;
      }),
      { seed: 3, numRuns: 12_000 },
    );
    expect(refused).toBeGreaterThan(5000);
  });

  it('made of any JSON give a message or a problem', () => {
    const keys = [
      'type',
      'id',
      'plan',
      'whole',
      'resources',
      'meta',
      'when',
      'op',
      'left',
      'event',
      'journal',
    ];
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 6, depthSize: 'medium' },
        fc.constantFrom(null, 0, 1, '', 'converge', 'hello', 'and', 'events', 'file', true),
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(fc.constantFrom(...keys), tie('tree'), { maxKeys: 6 }),
      ),
    }));
    fc.assert(
      fc.property(
        tree,
        fc.constantFrom('converge', 'hello', 'events', 'refuse', 'goodbye'),
        (value, type) => {
          const message = { ...(Object(value) as object), type };
          const [frame] = new FrameDecoder().push(
            Buffer.concat(encodeFrame(frameTypes.message, Buffer.from(JSON.stringify(message)))),
          );
          for (const schema of [agentMessageSchema, reconcilerMessageSchema]) {
            const code = thrownCode(() => decodeMessage(frame as Frame, schema as typeof agentMessageSchema));
            expect(['none', 'protocol.bad-message']).toContain(code);
          }
        },
      ),
      { seed: 4, numRuns: 3000 },
    );
  });
});
