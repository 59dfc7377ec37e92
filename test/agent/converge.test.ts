/**
 * What one converge call does on a host: order, failures, conditions, handlers and what may leave the host.
 * Invariant: real resources on a temporary directory, through the same entry that a converge message takes.
 * Never a timing assertion.
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Expression } from '../../agent/protocol/expression.ts';
import { agentProblem } from '../../agent/protocol/problem-codes.ts';
import { ConvergeHost, command, ends, planOf, reportOf, resource } from './converge-host.ts';

let host: ConvergeHost;
beforeEach(() => {
  host = new ConvergeHost();
});
afterEach(() => host.remove());

const get = (...path: string[]): Expression => ({ op: 'get', path });
const value = (of: string | number | boolean): Expression => ({ op: 'value', value: of });
const equal = (left: Expression, right: Expression): Expression => ({ op: '==', left, right });

describe('the order of a converge', () => {
  it('applies resources in the order of the plan and then the notified handlers in declared order, once each', async () => {
    const plan = planOf(
      [
        host.log('a', { notify: ['second', 'first'] }),
        host.file('f', 'x', { notify: ['first'] }),
        host.log('b', { notify: ['first'] }),
      ],
      [host.handler('first'), host.handler('second'), host.handler('third')],
    );
    const result = await host.converge(plan);
    expect(host.logged()).toEqual(['a', 'b', 'first', 'second']);
    expect(result).toMatchObject({ ok: true, complete: true, outcomes: { changed: 5, failed: 0 } });
    expect(
      result.reports.filter(({ handler }) => handler !== undefined).map(({ handler }) => handler),
    ).toEqual(['first', 'second']);
  });

  it('runs no handler when nothing changed', async () => {
    const plan = planOf([host.file('f', 'x', { notify: ['h'] })], [host.handler('h')]);
    await host.converge(plan);
    expect(ends(await host.converge(plan))).toEqual(['file:f unchanged']);
    expect(host.logged()).toEqual(['h']);
  });

  it('lets a handler notify a later one', async () => {
    const last = { name: 'last', resources: [host.log('last')] };
    const first = { name: 'first', resources: [host.log('first', { notify: ['last'] })] };
    await host.converge(planOf([host.log('a', { notify: ['first'] })], [first, last]));
    expect(host.logged()).toEqual(['a', 'first', 'last']);
  });

  it('answers a held plan and refuses one that it does not hold', async () => {
    const plan = planOf([host.file('f', 'x')]);
    await host.converge(plan);
    const again = await host.converge(plan, { plan: { held: true } });
    expect(ends(again)).toEqual(['file:f unchanged']);
    const other = await host.converge(plan, { plan: { held: true }, digest: 'd2' });
    expect(other).toMatchObject({ ok: false, complete: false, problem: { code: 'agent.plan-not-held' } });
    const delta = { base: 'd1', resources: [[0, 1] as [number, number], host.log('b')], handlers: [] };
    const next = await host.converge(plan, { plan: { delta }, digest: 'd2' });
    expect(ends(next)).toEqual(['file:f unchanged', 'command:b changed']);
  });

  it('stops at the next resource when it is told to, and says why', async () => {
    const plan = planOf([command('stopper', 'true', { notify: ['h'] }), host.log('b')], [host.handler('h')]);
    host.events.push = (event) => {
      if (event.event === 'finished') host.stop.abort(agentProblem('agent.cancelled', 'enough'));
      return 0;
    };
    const result = await host.converge(plan);
    expect(ends(result)).toEqual(['command:stopper changed']);
    expect(result).toMatchObject({ ok: false, complete: false, problem: { message: 'enough' } });
    expect(host.logged()).toEqual([]);
  });
});

describe('a failure', () => {
  it('keeps later resources from being applied, but not the handlers notified before it', async () => {
    const plan = planOf(
      [host.log('a', { notify: ['early'] }), command('bad', 'exit 3', { notify: ['late'] }), host.log('b')],
      [host.handler('late'), host.handler('early')],
    );
    const result = await host.converge(plan);
    expect(ends(result)).toEqual([
      'command:a changed',
      'command:bad failed',
      'command:b skipped',
      'command:early changed',
    ]);
    expect(host.logged()).toEqual(['a', 'early']);
    expect(result).toMatchObject({ ok: false, complete: true });
    expect(reportOf(result, 'command:b').reason).toContain('earlier');
  });

  it('of a handler ends that handler and not the next ones', async () => {
    const bad = { name: 'bad', resources: [command('x', 'exit 1'), host.log('never')] };
    const result = await host.converge(
      planOf([host.log('a', { notify: ['bad', 'good'] })], [bad, host.handler('good')]),
    );
    expect(host.logged()).toEqual(['a', 'good']);
    expect(result.ok).toBe(false);
  });

  it('of a handler is owed until the handler ran well, and no longer', async () => {
    const half = {
      name: 'half',
      resources: [host.log('half'), command('gate', `test -e ${host.path('gate')}`)],
    };
    const plan = planOf([host.file('f', 'x', { notify: ['half', 'good'] })], [half, host.handler('good')]);
    expect((await host.converge(plan)).ok).toBe(false);
    expect(host.logged()).toEqual(['half', 'good']);
    host.write('gate', '');
    expect(ends(await host.converge(plan))).toEqual([
      'file:f unchanged',
      'command:half changed',
      'command:gate changed',
    ]);
    expect(ends(await host.converge(plan))).toEqual(['file:f unchanged']);
    expect(await host.journal.interrupted('test/r', 'd1')).toBeUndefined();
  });

  it('that is to be ignored lets the role go on and end well', async () => {
    const result = await host.converge(
      planOf([command('bad', 'exit 1', { ignoreErrors: true }), host.log('a')]),
    );
    expect(result).toMatchObject({ ok: true, outcomes: { failed: 1, changed: 1 } });
    expect(reportOf(result, 'command:bad').ignored).toBe(true);
  });

  it('skips what requires it, and what requires that', async () => {
    const result = await host.converge(
      planOf([
        command('bad', 'exit 1', { ignoreErrors: true }),
        host.log('b', { requires: ['command:bad'] }),
        host.log('c', { requires: ['command:b'] }),
        host.log('d'),
      ]),
    );
    expect(ends(result).slice(1)).toEqual(['command:b skipped', 'command:c skipped', 'command:d changed']);
    expect(host.logged()).toEqual(['d']);
  });
});

describe('conditions', () => {
  it('decide by registered results, on the host', async () => {
    const plan = planOf([
      command('ask', 'echo 42', { register: 'asked', changedWhen: value(false) }),
      host.log('yes', { when: equal(get('asked', 'rc'), value(0)) }),
      host.log('no', { when: equal(get('asked', 'stdout'), value('43\n')) }),
      resource('echo', 'say', { message: ['got ', get('asked', 'stdout')] }),
    ]);
    const result = await host.converge(plan);
    expect(ends(result)).toEqual([
      'command:ask unchanged',
      'command:yes changed',
      'command:no skipped',
      'echo:say unchanged',
    ]);
    expect(host.events).toContainEqual({
      event: 'output',
      resource: 'echo:say',
      stream: 'stdout',
      text: 'got 42\n\n',
    });
  });

  it('overrule what counts as a failure and as a change', async () => {
    const result = await host.converge(
      planOf([
        command('fine', 'exit 2', { failedWhen: equal(get('result', 'rc'), value(1)) }),
        command('same', 'echo ok', { changedWhen: equal(get('result', 'stdout'), value('new\n')) }),
        command('bad', 'echo wrong', { failedWhen: equal(get('result', 'stdout'), value('wrong\n')) }),
      ]),
    );
    expect(ends(result)).toEqual(['command:fine changed', 'command:same unchanged', 'command:bad failed']);
    expect(reportOf(result, 'command:bad').problem?.code).toBe('resource.condition-failed');
  });

  it('see a skipped and a failed resource as such', async () => {
    const result = await host.converge(
      planOf([
        host.log('a', { when: value(false), register: 'a' }),
        command('b', 'exit 1', { ignoreErrors: true, register: 'b' }),
        host.log('c', { when: { op: 'and', left: get('a', 'skipped'), right: get('b', 'failed') } }),
      ]),
    );
    expect(reportOf(result, 'command:c').outcome).toBe('changed');
  });

  it('choose by tags', async () => {
    const plan = planOf([
      host.log('a', { tags: ['one'] }),
      host.log('b', { tags: ['one', 'two'] }),
      host.log('c'),
    ]);
    await host.converge(plan, { tags: ['one'], skipTags: ['two'] });
    expect(host.logged()).toEqual(['a']);
    await host.converge(plan, { skipTags: ['one'] });
    expect(host.logged()).toEqual(['a', 'c']);
  });
});

describe('retries and time limits', () => {
  it('try again as often as allowed and say how often', async () => {
    const script = `echo x >> ${host.path('tries')}; test $(wc -l < ${host.path('tries')}) = 3`;
    const result = await host.converge(planOf([command('flaky', script, { retries: 5, delay: 0 })]));
    expect(reportOf(result, 'command:flaky')).toMatchObject({ outcome: 'changed', attempts: 3 });
    expect(host.events.filter(({ event }) => event === 'retrying').length).toBe(2);
  });

  it('fail after the last try', async () => {
    const script = `echo x >> ${host.path('tries')}; exit 1`;
    const result = await host.converge(planOf([command('broken', script, { retries: 2, delay: 0 })]));
    expect(reportOf(result, 'command:broken')).toMatchObject({ outcome: 'failed', attempts: 3 });
    expect(host.read('tries')).toBe('x\nx\nx\n');
  });

  it('end what is late, and nothing of it goes on while the next resource runs', async () => {
    const slow = command(
      'slow',
      `trap 'sleep 0.3; echo end >> ${host.path('log')}; exit' TERM; sleep 60 & wait`,
      {
        timeout: 0.2,
        ignoreErrors: true,
      },
    );
    const result = await host.converge(planOf([slow, host.log('next')]));
    expect(reportOf(result, 'command:slow').problem?.code).toBe('resource.timeout');
    expect(host.logged()).toEqual(['end', 'next']);
  });
});

describe('the second look', () => {
  it('fails a resource that is not as wanted after its act', async () => {
    const made = host.path('made');
    const result = await host.converge(
      planOf([resource('command', 'make', { argv: ['true'], creates: made }, { failedWhen: value(false) })]),
    );
    expect(reportOf(result, 'command:make').problem?.code).toBe('resource.not-converged');
  });
});

describe('a sensitive resource', () => {
  it('lets no content, output, argument or message leave the host', async () => {
    const secret = 'hunter2';
    const sensitive = { sensitive: true, ignoreErrors: true };
    host.write('f', 'before');
    const program = host.content(`module.exports.render = () => { throw new Error('${secret}'); };`);
    const plan = planOf([
      host.file('f', secret, { sensitive: true }),
      command('loud', `echo ${secret}; exit 1`, sensitive),
      resource(
        'file',
        'refused',
        {
          path: host.path('g'),
          state: 'present',
          content: host.content(secret),
          validate: ['sh', '-c', 'cat %s; exit 1'],
        },
        sensitive,
      ),
      resource(
        'template',
        'broken',
        { path: host.path('t'), state: 'present', deferred: { program, context: {}, source: 't.njk' } },
        { ...sensitive, retries: 1, delay: 0 },
      ),
      command('last', `echo ${secret}`, { sensitive: true, register: 'kept' }),
      command('unkept', 'exit 1'),
    ]);
    const result = await host.converge(plan);
    expect(ends(result).map((end) => end.split(' ')[1])).toEqual([
      'changed',
      'failed',
      'failed',
      'failed',
      'changed',
      'failed',
    ]);
    expect(JSON.stringify([result, host.events, await host.journal.entries()])).not.toContain(secret);
    expect(reportOf(result, 'template:broken').problem).toMatchObject({
      code: 'template.failed',
      where: { file: 't.njk' },
    });
    expect(reportOf(result, 'file:f').changes).toEqual([{ action: 'update', property: 'content' }]);
  });
});

describe('templates rendered on the host', () => {
  it('may have a program of any size', async () => {
    const text = `/* ${'x'.repeat(600_000)} */ module.exports.render = ({ results }) => 'rc ' + results.asked.rc;`;
    const deferred = { program: host.content(text), context: {}, source: 't.njk' };
    const result = await host.converge(
      planOf([
        command('ask', 'true', { register: 'asked' }),
        resource('template', 't', { path: host.path('t'), state: 'present', deferred }),
      ]),
    );
    expect(result.ok).toBe(true);
    expect(host.read('t')).toBe('rc 0');
  });
});

describe('drift', () => {
  it('repeats no command that ran when the plan was applied, but asks probes and guards', async () => {
    const guarded = resource('command', 'guarded', {
      argv: ['sh', '-c', `echo guarded >> ${host.path('log')}; touch ${host.path('mark')}`],
      unless: ['test', '-e', host.path('mark')],
    });
    const plan = planOf(
      [
        host.log('once'),
        guarded,
        host.log('probe', { changedWhen: value(false), register: 'probe' }),
        host.file('f', 'x', { when: equal(get('probe', 'rc'), value(0)), notify: ['h'] }),
      ],
      [host.handler('h')],
    );
    await host.converge(plan);
    expect(host.logged()).toEqual(['once', 'guarded', 'probe', 'h']);
    host.write('f', 'drifted');
    const result = await host.converge(plan, { drift: true });
    expect(ends(result)).toEqual([
      'command:once skipped',
      'command:guarded skipped',
      'command:probe unchanged',
      'file:f changed',
      'command:h changed',
    ]);
    expect(host.logged()).toEqual(['once', 'guarded', 'probe', 'h', 'probe', 'h']);
    expect(host.read('f')).toBe('x');
  });
});
