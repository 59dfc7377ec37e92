import { existsSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commandResource } from '../../../agent/resources/command.ts';
import { applying, codeOf, type TestHost, testHost } from '../test-host.ts';
import { asAgent, dryRunAfter, planned } from './as-agent.ts';

let host: TestHost;
let said: string;
beforeEach(() => {
  said = '';
  host = testHost({
    onOutput: (stream, text) => {
      said += `${stream}: ${text}`;
    },
  });
});
afterEach(() => host.remove());

const sh = (script: string) => ['sh', '-c', script];

describe('command', () => {
  it('always has something to do without conditions, and registers how it went', async () => {
    const done = await asAgent(host.system, commandResource, { argv: sh('echo out; echo err >&2') });
    expect(done).toMatchObject({ acts: ['run command'], left: [] });
    expect(done.applied?.registered).toEqual({ rc: 0, stdout: 'out\n', stderr: 'err\n', signal: null });
    expect(done.applied?.failure).toBeUndefined();
    expect(said).toContain('stdout: out\n');
    expect(said).toContain('stderr: err\n');
  });

  it('gives the program its input, directory and environment', async () => {
    const argv = sh('cat; pwd; echo $COLOUR');
    const wanted = { argv, stdin: 'in\n', cwd: host.root, env: { COLOUR: 'red' } };
    const { applied } = await asAgent(host.system, commandResource, wanted);
    expect(applied?.registered?.stdout).toBe(`in\n${host.root}\nred\n`);
  });

  it('hands back a failure with the last lines, and what the program said', async () => {
    const { applied } = await asAgent(host.system, commandResource, { argv: sh('seq 30; exit 3') });
    expect(applied?.failure).toMatchObject({ code: 'command.failed', message: 'sh ended with status 3' });
    expect(applied?.failure?.lines).toEqual(Array.from({ length: 20 }, (_, index) => String(index + 11)));
    expect(applied?.registered?.rc).toBe(3);
  });

  it('takes the exit statuses it is told to take', async () => {
    const wanted = { argv: sh('exit 3'), exitStatus: [0, 3] };
    expect((await asAgent(host.system, commandResource, wanted)).applied?.failure).toBeUndefined();
  });

  it('names the signal that ended the program', async () => {
    const { applied } = await asAgent(host.system, commandResource, { argv: sh('kill -9 $$') });
    expect(applied?.failure?.message).toBe('sh was ended by SIGKILL');
    expect(applied?.registered).toMatchObject({ rc: null, signal: 'SIGKILL' });
  });

  it('does nothing where the path it creates exists, and must have made it afterwards', async () => {
    const creates = host.path('made');
    const wanted = { argv: ['touch', creates], creates };
    expect(await asAgent(host.system, commandResource, wanted)).toMatchObject({
      acts: ['run command'],
      left: [],
    });
    expect(await asAgent(host.system, commandResource, wanted)).toMatchObject({ acts: [] });
    const lazy = { argv: ['true'], creates: host.path('never') };
    expect(await asAgent(host.system, commandResource, lazy)).toMatchObject({ left: ['run command'] });
  });

  it('does nothing where the path it removes is missing', async () => {
    const removes = host.path('old');
    const wanted = { argv: ['rm', removes], removes };
    expect(await asAgent(host.system, commandResource, wanted)).toMatchObject({ acts: [] });
    writeFileSync(removes, '');
    expect(await asAgent(host.system, commandResource, wanted)).toMatchObject({ acts: ['run command'] });
    expect(existsSync(removes)).toBe(false);
  });

  it('runs only if its guards let it', async () => {
    const guards = [
      [{ onlyIf: ['true'] }, false],
      [{ onlyIf: ['false'] }, true],
      [{ unless: ['false'] }, false],
      [{ unless: ['true'] }, true],
      [{ onlyIf: ['true'], unless: ['true'] }, true],
    ] as const;
    for (const [guard, isGuarded] of guards) {
      const wanted = {
        argv: ['true'],
        ...guard,
        onlyIf: 'onlyIf' in guard ? [...guard.onlyIf] : undefined,
        unless: 'unless' in guard ? [...guard.unless] : undefined,
      };
      expect(await asAgent(host.system, commandResource, wanted)).toMatchObject({ isGuarded });
    }
  });

  it('asks no guard when there is nothing to do', async () => {
    const trace = host.path('trace');
    const wanted = { argv: ['true'], creates: host.root, onlyIf: ['touch', trace] };
    expect(await asAgent(host.system, commandResource, wanted)).toMatchObject({ acts: [], isGuarded: false });
    expect(existsSync(trace)).toBe(false);
  });

  it('runs nothing while it is only looked at', async () => {
    const trace = host.path('trace');
    const wanted = { argv: ['touch', trace], onlyIf: ['touch', trace] };
    expect(await commandResource.check(host.reader, wanted, applying)).toMatchObject([
      { to: `touch ${trace}` },
    ]);
    expect(existsSync(trace)).toBe(false);
  });

  it('is unknown in a dry run when a resource before it would bring the path it creates', async () => {
    const wanted = { argv: ['true'], creates: '/srv/towline/made' };
    const file = planned('file', { path: wanted.creates, state: 'present' });
    expect(await commandResource.check(host.reader, wanted, dryRunAfter(file))).toHaveProperty('unknown');
    const tree = planned('directory', {
      path: '/srv/towline',
      state: 'present',
      tree: [{ path: 'made', content: host.contents.put(''), mode: '0644' }],
    });
    expect(await commandResource.check(host.reader, wanted, dryRunAfter(tree))).toHaveProperty('unknown');
    const group = planned('group', { group: 'x', state: 'present' });
    expect(await commandResource.check(host.reader, wanted, dryRunAfter(group))).toHaveLength(1);
  });

  it('fails when there is no such program', async () => {
    expect(await codeOf(asAgent(host.system, commandResource, { argv: ['towline-no-such'] }))).toBe(
      'command.not-found',
    );
  });
});
