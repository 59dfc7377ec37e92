/**
 * A bundled agent as a process: killed anywhere, cut off, cancelled, asked the wrong thing.
 * Invariant: the moments of death are events of the run, not times; every process ends with its test.
 * Never a timing assertion.
 */

import { existsSync, readdirSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RolePlan } from '../../agent/protocol/plan.ts';
import { AgentPeer, removeAgentFile } from './agent-peer.ts';
import { ConvergeHost, command, ends, planOf } from './converge-host.ts';

let host: ConvergeHost;
let peers: AgentPeer[] = [];
beforeEach(() => {
  host = new ConvergeHost();
});
afterEach(async () => {
  await Promise.all(peers.splice(0).map((peer) => peer.kill()));
  host.remove();
});

afterAll(removeAgentFile);

async function start(): Promise<AgentPeer> {
  const peer = await AgentPeer.start(host.path('agent'));
  peers = [...peers, peer];
  return peer;
}

/** Files, three one-shot commands between them, and a handler; contents come inline. */
function role(): { plan: RolePlan; inline: string[] } {
  const plan = planOf(
    [
      host.file('f1', 'one', { notify: ['reload'] }),
      host.log('a'),
      host.file('f2', 'two', { notify: ['reload'] }),
      host.log('b', { notify: ['reload'] }),
      host.file('f3', 'three'),
      host.log('c'),
    ],
    [host.handler('reload')],
  );
  return { plan, inline: [...host.store.keys()] };
}

async function converge(peer: AgentPeer, run: string) {
  const { plan, inline } = role();
  const ending = peer.converge(run, plan, { inline });
  for (const sha256 of inline) peer.chunk(sha256, 0, host.store.get(sha256) as Buffer);
  return ending;
}

const agentFiles = (): string[] =>
  existsSync(host.path('agent')) ? (readdirSync(host.path('agent'), { recursive: true }) as string[]) : [];

describe('an agent that is killed', () => {
  // The handler is the 7th to start; 14 events are all that a whole run has.
  it.each(Array.from({ length: 14 }, (_, index) => index + 1))(
    'after event %i is followed by one that finishes without doing anything twice',
    async (deathAt) => {
      const first = await start();
      await first.open();
      const death = first.until(() => first.events.length >= deathAt).then(() => first.kill());
      await converge(first, 'run-1');
      await death;

      const second = await start();
      const hello = await second.open();
      const told = hello.journal.flatMap((entry) => entry.reports.map((report) => report.resource));
      const logged = host.logged().filter((word) => word !== 'reload');
      expect(hello.journal.every((entry) => entry.run === 'run-1')).toBe(true);
      // Killed between an act and its line, at most the last act is not told.
      expect(
        logged.length - told.filter((id) => id.startsWith('command:') && id !== 'command:reload').length,
      ).toBeLessThanOrEqual(1);
      second.send({ type: 'recorded', runs: ['run-1'] });
      const result = await converge(second, 'run-2');
      expect(result).toMatchObject({ ok: true, complete: true });
      second.send({ type: 'recorded', runs: ['run-2'] });
      second.child.stdin?.end();
      expect(await second.exited).toBe(0);

      const words = host.logged();
      if (hello.journal[0]?.result?.complete) {
        // The run was faster than its death: the second is a new one, and acts anew.
        expect(logged).toEqual(['a', 'b', 'c']);
        expect(words.filter((word) => word !== 'reload')).toEqual([...logged, ...logged]);
        return;
      }
      const twice = words.filter((word, index) => words.indexOf(word) !== index);
      const untold = logged.filter((word) => !told.includes(`command:${word}`));
      expect(twice.filter((word) => !untold.includes(word) && word !== 'reload')).toEqual([]);
      expect(new Set(words)).toEqual(new Set(['a', 'b', 'c', 'reload']));
      expect(words.at(-1) === 'reload' || words.indexOf('reload') > words.indexOf('b')).toBe(true);
      expect(agentFiles()).toEqual([]);
    },
  );

  it('has its lock taken over', async () => {
    const first = await start();
    await first.open();
    const slow = planOf([command('slow', `while test -e ${host.root}; do sleep 0.05; done`)]);
    const ending = first.converge('run-1', slow);
    await first.until(() => first.events.length > 0);
    const second = await start();
    await second.open();
    const busy = await second.converge('run-2', role().plan);
    expect(busy?.problem?.code).toBe('agent.busy');
    await first.kill();
    await ending;
    expect((await converge(second, 'run-3'))?.ok).toBe(true);
  });
});

describe('an agent whose line ends', () => {
  it('finishes the resource in hand, stops, and leaves only what the next one needs', async () => {
    const peer = await start();
    await peer.open();
    const plan = planOf(
      [
        command('slow', `echo begun >> ${host.path('log')}; sleep 0.5; echo done >> ${host.path('log')}`, {
          notify: ['h'],
        }),
        host.log('next'),
      ],
      [host.handler('h')],
    );
    void peer.converge('run-1', plan);
    await peer.until(() => peer.events.length > 0);
    while (host.logged().length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    peer.child.stdin?.end();
    expect(await peer.exited).toBe(0);
    expect(host.logged()).toEqual(['begun', 'done']);
    expect(agentFiles().filter((name) => !name.startsWith('journal'))).toEqual([]);

    const next = await start();
    const hello = await next.open();
    expect(hello.journal).toMatchObject([
      { run: 'run-1', result: { complete: false, problem: { code: 'agent.link-lost' } } },
    ]);
    const result = await next.converge('run-2', plan);
    expect(result && ends(result)).toEqual([
      'command:slow skipped',
      'command:next changed',
      'command:h changed',
    ]);
    next.send({ type: 'recorded', runs: ['run-1', 'run-2'] });
    next.child.stdin?.end();
    expect(await next.exited).toBe(0);
    expect(agentFiles()).toEqual([]);
  });

  it('does not wait for contents that cannot come any more', async () => {
    const peer = await start();
    await peer.open();
    const big = host.content(Buffer.alloc(1_000_000, 'x'));
    const plan = planOf([
      command('slow', `echo begun >> ${host.path('log')}; sleep 0.2`),
      {
        id: 'file:big',
        kind: 'file',
        wanted: { path: host.path('big'), state: 'present', content: big },
        meta: {},
      },
    ]);
    void peer.converge('run-1', plan);
    await peer.until(() => peer.messages.some(({ type }) => type === 'need'));
    peer.child.stdin?.end();
    expect(await peer.exited).toBe(0);
    expect(existsSync(host.path('big'))).toBe(false);
    expect(agentFiles().filter((name) => !name.startsWith('journal'))).toEqual([]);
  });

  it('ends at once when nothing is under way, even before it was welcomed', async () => {
    const peer = await start();
    peer.child.stdin?.end();
    expect(await peer.exited).toBe(0);
    expect(agentFiles()).toEqual([]);
  });

  it('ends when nobody reads what it says', async () => {
    const peer = await start();
    await peer.open();
    peer.child.stdout?.destroy();
    peer.send({ type: 'ping', id: 1 });
    expect(await peer.exited).toBe(0);
  });

  it('ends when its reconciler falls silent', async () => {
    const peer = await start();
    await peer.open(1000, 0.05);
    expect(await peer.exited).toBe(0);
    expect((await peer.message('goodbye')).problem?.code).toBe('agent.link-lost');
  });
});

describe('an agent', () => {
  it('says why it ends when the stream is no longer frames', async () => {
    const peer = await start();
    await peer.open();
    peer.child.stdin?.write('GARBAGE');
    expect((await peer.message('goodbye')).problem?.code).toMatch(/^protocol\./);
    expect(await peer.exited).toBe(0);
  });

  it('takes nothing before its hello was answered', async () => {
    const peer = await start();
    await peer.message('hello');
    peer.send({ type: 'exec', id: 1, argv: ['touch', host.path('made')], timeout: 5 });
    expect((await peer.message('goodbye')).problem?.code).toBe('protocol.illegal-state');
    expect(await peer.exited).toBe(0);
    expect(existsSync(host.path('made'))).toBe(false);
  });

  it('runs a program, streams what it says, and kills it when it is cancelled', async () => {
    const peer = await start();
    await peer.open();
    peer.send({ type: 'exec', id: 1, argv: ['sh', '-c', 'echo out; cat; exit 3'], stdin: 'in', timeout: 60 });
    expect(await peer.message('executed')).toMatchObject({ id: 1, status: 3 });
    expect(peer.events.map((event) => (event.event === 'output' ? event.text : '')).join('')).toBe('out\nin');
    peer.send({ type: 'exec', id: 2, argv: ['sleep', '60'], timeout: 60 });
    peer.send({ type: 'exec', id: 3, argv: ['no-such-program'], timeout: 60 });
    peer.send({ type: 'exec', id: 4, argv: ['sleep', '60'], timeout: 0.05 });
    peer.send({ type: 'cancel', id: 2, reason: 'enough' });
    await peer.until(() => peer.messages.filter(({ type }) => type === 'executed').length === 4);
    const ended = peer.messages.filter((each) => each.type === 'executed').slice(1);
    expect(ended).toMatchObject([
      { id: 2, status: null },
      { id: 3, problem: { code: 'command.not-found' } },
      { id: 4, problem: { code: 'resource.timeout' } },
    ]);
  });

  it('answers pings while it works, tells its facts anew, and ends when it is told to', async () => {
    const peer = await start();
    const hello = await peer.open();
    const working = peer.converge(
      'run-1',
      planOf([command('slow', `while ! test -e ${host.path('go')}; do sleep 0.02; done`)]),
    );
    await peer.until(() => peer.events.length > 0);
    peer.send({ type: 'ping', id: 7 });
    await peer.until(() => peer.messages.some((each) => each.type === 'pong' && each.id === 7));
    host.write('go', '');
    expect((await working)?.ok).toBe(true);
    peer.send({ type: 'facts', id: 9 });
    expect((await peer.message('facts')).facts.account).toEqual(hello.facts.account);
    peer.send({ type: 'close', reason: 'done' });
    await peer.message('goodbye');
    expect(await peer.exited).toBe(0);
  });

  it('holds events back without credit and says when it dropped output', async () => {
    const peer = await start();
    await peer.open(1);
    const loud = command(
      'loud',
      `yes 0123456789 | head -c 4000000; touch ${host.path('said')}; while ! test -e ${host.path('go')}; do sleep 0.02; done`,
    );
    const working = peer.converge('run-1', planOf([loud]));
    while (!existsSync(host.path('said'))) await new Promise((resolve) => setTimeout(resolve, 10));
    peer.send({ type: 'ping', id: 1 });
    await peer.until(() => peer.messages.some(({ type }) => type === 'pong'));
    const before = JSON.stringify(peer.events).length;
    expect(before).toBeLessThan(200_000);
    peer.send({ type: 'credit', bytes: 100_000_000 });
    host.write('go', '');
    expect((await working)?.ok).toBe(true);
    const said = peer.events.flatMap((event) => (event.event === 'output' ? [event.text] : []));
    expect(said.join('').length).toBeLessThan(2_000_000);
    expect(said.filter((text) => text.includes('output dropped')).length).toBe(1);
    expect(peer.events.at(-1)?.event).toBe('finished');
  });
});
