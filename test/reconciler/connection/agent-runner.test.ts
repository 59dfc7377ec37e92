import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { agentRunner } from '../../../reconciler/connection/agent-runner.ts';
import { localRunner } from '../../../reconciler/connection/local.ts';
import { convergeCall, filePlan, MemoryContents } from '../../helpers/lines.ts';
import { NestedAgents, realBundle, until, unwrapped } from './nested-agents.ts';

const agents = new NestedAgents();

afterEach(() => agents.close());
afterAll(() => agents.remove());

function hashAt(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

describe('agents behind agents', () => {
  it('converge three deep, and neither code nor content crosses the first line twice', async () => {
    const first = await agents.start('first', localRunner);
    const second = await agents.start('second', agentRunner(first));
    const before = first.traffic.sent;
    const third = await agents.start('third', agentRunner(second));
    expect(first.traffic.sent - before).toBeLessThan(20_000);
    const contents = new MemoryContents();
    const content = contents.add(Buffer.alloc(3_000_000, 'some bytes'));
    const plan = filePlan('files', [content], agents.folder);
    for (const [name, session] of [
      ['second', second],
      ['third', third],
    ] as const) {
      const done = await session.converge(convergeCall(plan, contents, { run: name }));
      expect(unwrapped(done)).toMatchObject({ ok: true });
      expect(hashAt(join(agents.folder, '0'))).toBe(content.sha256);
      unwrapped(
        await session.exec({ argv: ['rm', join(agents.folder, '0')], timeout: 10, onOutput: () => {} }),
      );
    }
    expect(third.traffic.sent).toBeGreaterThan(3_000_000);
    expect(first.traffic.sent).toBeLessThan(3_200_000);
  });

  it('get small contents and those that their parent has no room for from here', async () => {
    const first = await agents.start('first', localRunner);
    const second = await agents.start('second', agentRunner(first));
    const contents = new MemoryContents();
    const files = [100, 20_000, 300_000].map((size) => contents.add(Buffer.alloc(size, `${size}`)));
    const plan = filePlan('files', files, agents.folder);
    expect(unwrapped(await second.converge(convergeCall(plan, contents)))).toMatchObject({ ok: true });
    for (const [place, { sha256 }] of files.entries())
      expect(hashAt(join(agents.folder, `${place}`))).toBe(sha256);
  });

  it('end with their parent, and every call of theirs has a problem that says why', async () => {
    const first = await agents.start('first', localRunner);
    const second = await agents.start('second', agentRunner(first));
    const third = await agents.start('third', agentRunner(second));
    const calls = [second, third].map((session) =>
      session.exec({ argv: ['sleep', '60'], timeout: 60, onOutput: () => {} }),
    );
    process.kill(first.hello.pid, 'SIGKILL');
    for (const call of await Promise.all(calls))
      expect(call).toMatchObject({ ok: false, problem: { code: 'line.lost' } });
    expect(await third.ended).toMatchObject({
      code: 'line.lost',
      cause: { code: 'line.lost', where: { host: 'second' }, cause: { where: { host: 'first' } } },
    });
    const pids = [second, third].map((session) => session.hello.pid);
    await until(() => pids.every((pid) => !existsSync(`/proc/${pid}`)));
  });

  it('end when the session of their parent is closed', async () => {
    const first = await agents.start('first', localRunner);
    const second = await agents.start('second', agentRunner(first));
    await first.close('enough');
    expect(await second.ended).toMatchObject({ code: 'line.lost' });
    await until(() => !existsSync(`/proc/${second.hello.pid}`));
  });

  it('refuse what needs a terminal', async () => {
    const first = await agents.start('first', localRunner);
    const refused = await agentRunner(first).start('true', { pty: true });
    expect(refused).toMatchObject({ ok: false, problem: { code: 'become.tty-required' } });
  });

  it('are fifty behind one and pull ten megabytes each, and its line carries them once', async () => {
    const relay = await agents.start('relay', localRunner, 30_000);
    const { compressed } = await realBundle();
    const before = relay.traffic.sent;
    const children = [];
    for (let batch = 0; batch < 10; batch += 1) {
      const some = [0, 1, 2, 3, 4].map((place) =>
        agents.start(`child${batch * 5 + place}`, agentRunner(relay), 30_000),
      );
      children.push(...(await Promise.all(some)));
    }
    // Less than one copy of the code for fifty starts: commands and first messages are all there is.
    expect(relay.traffic.sent - before).toBeLessThan(50 * 8000);
    expect(children.reduce((sum, child) => sum + child.traffic.sent, 0)).toBeGreaterThan(
      50 * compressed.length,
    );
    const contents = new MemoryContents();
    const size = 10_000_000;
    const content = contents.add(createHash('shake256', { outputLength: size }).update('ten').digest());
    const done = await Promise.all(
      children.map((child, place) => {
        const folder = join(agents.folder, `files${place}`);
        mkdirSync(folder);
        return child.converge(
          convergeCall(filePlan('big', [content], folder), contents, { run: `${place}` }),
        );
      }),
    );
    for (const each of done) expect(unwrapped(each)).toMatchObject({ ok: true });
    expect(hashAt(join(agents.folder, 'files49', '0'))).toBe(content.sha256);
    expect(relay.traffic.sent - before).toBeLessThan(1.3 * size);
  }, 240_000);
});
