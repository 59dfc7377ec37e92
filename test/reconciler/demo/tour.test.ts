import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../../helpers/run-command.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';

const fresh = temporaryDirectories();

function places(text: string): string[] {
  return [...text.matchAll(/\S*\/towline-demo-\w+/g)].map(([path]) => path);
}

describe('the demo', () => {
  it('takes its tour and leaves nothing', async () => {
    const directory = fresh();
    const environment = { npm_lifecycle_event: 'start' };
    const ran = await runCommand(['demo', '--once'], { directory, home: directory, environment });
    expect(ran).toMatchObject({ status: 0, stderr: '' });
    expect(ran.stdout).toMatch(/db-1 .* not contacted/);
    expect(ran.stdout).toContain('npm run towline -- init fleet');
    expect(places(ran.stdout).length).toBeGreaterThan(0);
    expect(places(ran.stdout).filter(existsSync)).toEqual([]);
  });

  it('watches until it is interrupted, and keeps a directory that was named', async () => {
    const directory = fresh();
    const interrupt = new AbortController();
    const ran = await runCommand(['demo', '--dir', 'play', '--json'], {
      directory,
      home: directory,
      interrupted: interrupt.signal,
      // The look with which watching begins.
      onOutput: (text) => {
        if (text.includes('"step":5') && text.split('"trigger":"start"').length > 2) interrupt.abort();
      },
    });
    expect(ran.status).toBe(0);
    const last = JSON.parse(ran.stdout.trimEnd().split('\n').at(-1) ?? '');
    expect(last).toMatchObject({ type: 'demo', kept: `${directory}/play` });
    expect(last.next[0]).toBe(
      `towline history --repo ${directory}/play/policy --state ${directory}/play/state`,
    );
    const again = await runCommand(['demo', '--dir', 'play'], { directory, home: directory });
    expect(again).toMatchObject({ status: 1, stdout: '' });
    expect(again.stderr).toContain('cli.not-empty');
  });

  it('ends with 130 when it is interrupted in the tour', async () => {
    const directory = fresh();
    const interrupt = new AbortController();
    const ran = await runCommand(['demo', '--json'], {
      directory,
      home: directory,
      interrupted: interrupt.signal,
      onOutput: (text) => text.includes('"step":3') && interrupt.abort(),
    });
    expect(ran.status).toBe(130);
    expect(places(ran.stdout).filter(existsSync)).toEqual([]);
  });
});
