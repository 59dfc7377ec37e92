import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ConnectionSpec } from '../../../../inventory/connection-spec.ts';
import type { RuntimeProgress } from '../../../../reconciler/base/event.ts';
import { connectionProblem } from '../../../../reconciler/base/problem-codes/connection.ts';
import { RuntimeShipping, type ShippingOptions } from '../../../../reconciler/connection/runtime/shipping.ts';
import { startWithRuntime } from '../../../../reconciler/connection/runtime/start-with-runtime.ts';
import { fixtureBundle, localSpec } from '../../../helpers/lines.ts';
import { shellRunner } from '../../../helpers/shell-runner.ts';
import { temporaryDirectories } from '../../../helpers/temporary-directory.ts';

const fresh = temporaryDirectories();
const why = connectionProblem('runtime.missing', 'no Node was found');
const supplying = { problem: why, startDeadline: 10_000 };
/** Prepared once for all tests of this file. */
const cache = fresh();

function shipping(more: Partial<ShippingOptions> = {}): RuntimeShipping {
  return new RuntimeShipping({ ship: true, cache: true, folder: cache, ...more });
}

/** An account on this machine that finds no Node. */
function bare(): { readonly home: string; readonly env: Record<string, string> } {
  const home = fresh();
  const bin = join(home, 'bin');
  mkdirSync(bin);
  return { home, env: { HOME: home, PATH: `${bin}:/usr/bin:/bin` } };
}

describe('shipping', () => {
  it('sends nothing and writes nothing without a permit', async () => {
    const { home, env } = bare();
    const kept = shipping();
    const stop = kept.permit({ ...localSpec, host: 'other' });
    kept.permit(localSpec)();
    const supplied = await kept.supply(shellRunner({ env }), localSpec, supplying);
    stop();
    expect(supplied).toMatchObject({
      problem: {
        code: 'runtime.would-ship',
        message: 'no Node was found; one would be shipped',
        where: { host: localSpec.host },
      },
    });
    expect(readdirSync(home)).toEqual(['bin']);
  });

  it('leaves the first problem as it is where shipping is switched off', async () => {
    const off = shipping({ ship: false });
    off.permit(localSpec);
    expect(await off.supply(shellRunner({ env: bare().env }), localSpec, supplying)).toEqual({
      ok: false,
      problem: why,
    });
  });

  it('permits the hosts on the way as well, each for as long as somebody asks', async () => {
    const kept = shipping();
    const bastion: ConnectionSpec = { ...localSpec, host: 'bastion' };
    const stops = [1, 2].map(() => kept.permit({ ...localSpec, via: bastion }));
    const musl = { ...bare().env, PATH: '/nowhere' };
    const codes: string[] = [];
    for (const stop of [...stops, () => {}]) {
      const supplied = await kept.supply(shellRunner({ env: musl }), bastion, supplying);
      codes.push(supplied.ok ? 'ok' : supplied.problem.code);
      stop();
    }
    expect(codes.at(-1)).toBe('runtime.would-ship');
    expect(codes.slice(0, 2)).not.toContain('runtime.would-ship');
  });

  it('gives a Node to an account without one, announces it, and the agent starts on it', async () => {
    const { home, env } = bare();
    const kept = shipping();
    const said: RuntimeProgress[] = [];
    kept.permit(localSpec, (progress) => said.push(progress));
    const bundle = await fixtureBundle();
    const options = { bundle, startDeadline: 20_000, shipping: kept };
    // The first look finds nothing, because the shell has no PATH to a Node; what is shipped is found in the home.
    const runner = shellRunner({ env, shell: withoutNode });
    const started = await startWithRuntime(runner, localSpec, options);
    if (!started.ok) throw new Error(started.problem.message);
    started.value.process.kill();
    const stages = said.map(({ stage }) => stage).filter((stage) => stage !== 'prepares');
    expect([stages[0], stages.at(-1)]).toEqual(['begins', 'done']);
    expect(said.find(({ stage }) => stage === 'begins')).toMatchObject({
      host: localSpec.host,
      place: '~/.cache/towline',
      keep: true,
      sent: 0,
      why: expect.stringContaining('no Node was found'),
    });
    const sent = said.filter(({ stage }) => stage === 'sends').map((each) => each.sent);
    expect(sent).toEqual(sent.toSorted((a, b) => a - b));
    expect(sent.length).toBeLessThanOrEqual(101);
    const again = await startWithRuntime(runner, localSpec, { ...options, shipping: undefined });
    if (again.ok) again.value.process.kill();
    expect(again.ok).toBe(true);
    expect(readdirSync(join(home, '.cache/towline'))).toHaveLength(1);
  }, 60_000);

  it('takes it away again where it is not to stay, and the agent goes on', async () => {
    const { home, env } = bare();
    const kept = shipping({ cache: false });
    kept.permit(localSpec);
    const bundle = await fixtureBundle();
    const processes: { exited: Promise<unknown> }[] = [];
    const runner = shellRunner({ env, shell: withoutNode, onStart: (each) => processes.push(each) });
    const started = await startWithRuntime(runner, localSpec, {
      bundle,
      startDeadline: 20_000,
      shipping: kept,
    });
    if (!started.ok) throw new Error(started.problem.message);
    // The probe comes second, the script that holds the folder third.
    await processes[2]?.exited;
    expect(readdirSync(join(home, '.cache/towline'))).toEqual([]);
    const { stdout } = started.value.process;
    await new Promise((resolve) => stdout.once('data', resolve));
    started.value.process.kill();
  }, 60_000);

  it('does not replace a runtime that was named', async () => {
    const kept = shipping();
    kept.permit(localSpec);
    const target = { ...localSpec, runtime: '/nowhere/node' };
    const bundle = await fixtureBundle();
    const { home, env } = bare();
    const started = await startWithRuntime(shellRunner({ env }), target, {
      bundle,
      startDeadline: 10_000,
      shipping: kept,
    });
    expect(started).toMatchObject({ problem: { code: 'runtime.missing' } });
    expect(existsSync(join(home, '.cache'))).toBe(false);
  });
});

/** A shell for which the usual places of a Node do not exist. */
const withoutNode = [
  '/bin/sh',
  '-c',
  'eval "$(printf %s "$0" | sed "s#in node nodejs /usr/local/bin/node /usr/bin/node /usr/bin/nodejs#in nonode#")"',
];
