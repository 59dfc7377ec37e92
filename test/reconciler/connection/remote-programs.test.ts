import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { programsLimit } from '../../../agent/programs.ts';
import { sha256Of } from '../../../agent/protocol/blob.ts';
import { streamWindow } from '../../../agent/protocol/frame.ts';
import type { AgentSession } from '../../../reconciler/connection/agent-session.ts';
import type { RemoteProcess } from '../../../reconciler/connection/line.ts';
import { localRunner } from '../../../reconciler/connection/local.ts';
import { convergeCall, filePlan, MemoryContents } from '../../helpers/lines.ts';
import { NestedAgents, until, unwrapped } from './nested-agents.ts';

const agents = new NestedAgents();

afterEach(() => agents.close());
afterAll(() => agents.remove());

async function program(session: AgentSession, ...argv: string[]): Promise<RemoteProcess> {
  return unwrapped(await session.start(argv));
}

async function textOf(process: RemoteProcess): Promise<string> {
  let text = '';
  for await (const bytes of process.stdout) text += String(bytes);
  return text;
}

/** Bytes in memory of a process, of which its own heap is a part. */
function memoryOf(pid: number): number {
  const [, kibibytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kibibytes) * 1024;
}

describe('a program at the far end', () => {
  it('gets what is written, gives what it prints, and tells how it ended', async () => {
    const session = await agents.start('host', localRunner);
    const process = await program(session, 'sh', '-c', 'read a; echo "got $a"; echo oops >&2; exit 7');
    let said = '';
    process.stderr.on('data', (bytes) => {
      said += String(bytes);
    });
    process.stdin.end('this\n');
    expect(await textOf(process)).toBe('got this\n');
    expect(await process.exited).toEqual({ status: 7, signal: null });
    expect(said).toBe('oops\n');
  });

  it('says why when it cannot start', async () => {
    const session = await agents.start('host', localRunner);
    const process = await program(session, '/no/such/program');
    expect(await process.exited).toMatchObject({
      lost: expect.stringContaining('cannot start'),
      problem: { code: 'command.not-found' },
    });
  });

  it('is killed with all it started, and released to end by itself', async () => {
    const session = await agents.start('host', localRunner);
    const killed = await program(session, 'sh', '-c', 'sleep 61.5 & echo $!; wait');
    const [line] = await killed.stdout.take(1).toArray();
    killed.kill();
    expect(await killed.exited).toMatchObject({ signal: 'SIGKILL' });
    await until(() => {
      try {
        return readFileSync(`/proc/${String(line).trim()}/stat`, 'utf8').includes(') Z ');
      } catch {
        return true;
      }
    });
    const released = await program(session, 'sh', '-c', 'cat >/dev/null; exit 4');
    released.release();
    expect(await released.exited).toMatchObject({ status: 4 });
  });

  it('passes 64 MiB through while neither side holds more than its window', async () => {
    const session = await agents.start('host', localRunner);
    const process = await program(session, 'cat');
    const piece = Buffer.alloc(64 * 1024, 'streaming');
    const count = 1024;
    const [there, back] = [createHash('sha256'), createHash('sha256')];
    let [most, received] = [0, 0];
    const look = (): void => {
      most = Math.max(most, process.stdin.writableLength + process.stdout.readableLength);
    };
    const reading = (async () => {
      for await (const bytes of process.stdout) {
        back.update(bytes);
        received += bytes.length;
        look();
      }
    })();
    for (let written = 0; written < count; written += 1) {
      there.update(piece);
      const hasRoom = process.stdin.write(piece);
      look();
      if (!hasRoom) await new Promise((resolve) => process.stdin.once('drain', resolve));
    }
    process.stdin.end();
    await reading;
    expect(received).toBe(count * piece.length);
    expect(back.digest('hex')).toBe(there.digest('hex'));
    expect(most).toBeLessThanOrEqual(2 * streamWindow);
  }, 60_000);

  it('that floods sends no more than its window until it is read, and the agent stays small', async () => {
    const session = await agents.start('host', localRunner);
    const before = session.traffic.received;
    const process = await program(session, 'cat', '/dev/zero');
    await until(() => session.traffic.received - before >= streamWindow);
    for (let turn = 0; turn < 5; turn += 1) unwrapped(await session.ping());
    expect(session.traffic.received - before).toBeLessThan(streamWindow + 4096);
    expect(memoryOf(session.hello.pid)).toBeLessThan(200 * 1024 * 1024);
    process.kill();
    expect(await process.exited).toMatchObject({ signal: 'SIGKILL' });
  });

  it('that floods starves neither heartbeat nor calls nor other programs', async () => {
    const session = await agents.start('host', localRunner, 400);
    const floods = [];
    for (let one = 0; one < 3; one += 1) {
      const flood = await program(session, 'cat', '/dev/zero');
      flood.stdout.resume();
      floods.push(flood);
    }
    const contents = new MemoryContents();
    const plan = filePlan('files', [contents.add(Buffer.alloc(600_000, 'y'))], agents.folder);
    const end = performance.now() + 3000;
    while (performance.now() < end) {
      unwrapped(await session.ping());
      const echo = await program(session, 'echo', 'here');
      expect(await textOf(echo)).toBe('here\n');
      expect(unwrapped(await session.converge(convergeCall(plan, contents)))).toMatchObject({ ok: true });
    }
    for (const flood of floods) flood.kill();
    for (const flood of floods) expect(await flood.exited).toMatchObject({ signal: 'SIGKILL' });
    expect(session.traffic.received).toBeGreaterThan(20 * streamWindow);
  }, 60_000);

  it('that reads nothing stalls its own input only', async () => {
    const session = await agents.start('host', localRunner);
    const deaf = await program(session, 'sleep', '60');
    const before = session.traffic.sent;
    deaf.stdin.write(Buffer.alloc(2 * 1024 * 1024));
    const [other, prompt] = [await program(session, 'cat'), 'are you there?'];
    other.stdin.end(prompt);
    expect(await textOf(other)).toBe(prompt);
    expect(session.traffic.sent - before).toBeLessThan(2 * streamWindow);
    expect(deaf.stdin.writableLength).toBeGreaterThan(0);
    deaf.kill();
    expect(await deaf.exited).toMatchObject({ signal: 'SIGKILL' });
  });

  it('is refused where too many run already, and the others go on', async () => {
    const session = await agents.start('host', localRunner, 30_000);
    const running = [];
    for (let one = 0; one < programsLimit; one += 1) running.push(await program(session, 'cat'));
    const over = await program(session, 'cat');
    expect(await over.exited).toMatchObject({ problem: { code: 'agent.too-many-programs' } });
    const [first, ...rest] = running as [RemoteProcess, ...RemoteProcess[]];
    first.stdin.end('still');
    expect(await textOf(first)).toBe('still');
    for (const each of rest) each.kill();
    await Promise.all(rest.map((each) => each.exited));
    const again = await program(session, 'echo', 'room');
    expect(await textOf(again)).toBe('room\n');
  }, 60_000);

  it('ends with a problem when its session is lost', async () => {
    const session = await agents.start('host', localRunner);
    const running = await program(session, 'cat');
    process.kill(session.hello.pid, 'SIGKILL');
    expect(await running.exited).toMatchObject({ status: null, problem: { code: 'line.lost' } });
    expect(await session.start(['cat'])).toMatchObject({ ok: false, problem: { code: 'line.lost' } });
  });
});

describe('a supply', () => {
  const bytes = Buffer.alloc(700_000, 'supplied ');
  const content = { sha256: sha256Of(bytes), size: bytes.length };

  it('comes into the input where it was asked for, and is fetched once', async () => {
    const session = await agents.start('host', localRunner);
    const contents = new MemoryContents();
    contents.add(bytes);
    const before = session.traffic.sent;
    const supply = { content, offset: 100_000, bytes: 500_000, form: 'raw', store: contents } as const;
    const outputs = await Promise.all(
      [0, 1, 2, 3].map(async () => {
        const process = await program(session, 'cat');
        const output = textOf(process);
        process.stdin.write('before|');
        const supplied = process.supply?.(supply);
        process.stdin.end('|after');
        expect(await supplied).toEqual({ ok: true, value: undefined });
        return output;
      }),
    );
    const expected = `before|${bytes.toString('utf8', 100_000, 600_000)}|after`;
    for (const output of outputs) expect(output === expected).toBe(true);
    expect(session.traffic.sent - before).toBeLessThan(bytes.length + 20_000);
  });

  it('that cannot be had leaves the input as it was', async () => {
    const session = await agents.start('host', localRunner);
    const process = await program(session, 'cat');
    const output = textOf(process);
    const nowhere = new MemoryContents();
    const all = { content, offset: 0, bytes: content.size, form: 'raw', store: nowhere } as const;
    expect(await process.supply?.(all)).toMatchObject({ ok: false, problem: { code: 'blob.missing' } });
    const wrong = new MemoryContents();
    const other = wrong.add(Buffer.alloc(content.size, 'other'));
    const lying = { open: () => wrong.open(other.sha256) };
    expect(await process.supply?.({ ...all, store: lying })).toMatchObject({ ok: false });
    process.stdin.end('only this');
    expect(await output).toBe('only this');
  });

  it('for a program that has ended is refused', async () => {
    const session = await agents.start('host', localRunner);
    const process = await program(session, 'true');
    await process.exited;
    await pause(0);
    const all = {
      content,
      offset: 0,
      bytes: content.size,
      form: 'raw',
      store: new MemoryContents(),
    } as const;
    expect(await process.supply?.(all)).toMatchObject({ ok: false });
  });
});

describe('the output of a command run at the far end', () => {
  it('arrives whole although the program says it as fast as it can', async () => {
    const session = await agents.start('host', localRunner);
    let said = 0;
    const ended = await session.exec({
      argv: ['sh', '-c', 'yes 0123456 | head -c 20000000'],
      timeout: 60,
      onOutput: (_stream, text) => {
        said += text.length;
      },
    });
    expect(ended).toMatchObject({ ok: true, value: { status: 0 } });
    expect(said).toBe(20_000_000);
  });
});
