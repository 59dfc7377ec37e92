import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { completionScript, type Shell } from '../../../reconciler/cli/completion.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';

const directory = temporaryDirectories();

function program(): Command {
  const towline = new Command('towline').option('--no-color', 'say it plainly').description("it's Towline");
  towline
    .command('plan')
    .description("what would be sent; it's a $(touch /nowhere) `dry` look")
    .option('-e, --extra-vars <kv>', 'set a variable');
  towline.command('status').description('what is where');
  towline.command('secret', { hidden: true });
  return towline;
}

function bash(line: string): string[] {
  const words = line.split(' ');
  const script = `${completionScript(program(), 'bash')}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length - 1}
_towline
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const run = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  expect(run.stderr).toBe('');
  return run.stdout.trim().split('\n');
}

describe('completionScript', () => {
  it('completes commands and options in bash', () => {
    expect(bash('towline ')).toEqual(expect.arrayContaining(['plan', 'status', '--no-color', '--help']));
    expect(bash('towline pl')).toEqual(['plan']);
    expect(bash('towline plan --ex')).toEqual(['--extra-vars']);
    expect(bash('towline --no-color plan -')).toEqual(expect.arrayContaining(['-e', '--no-color']));
    expect(bash('towline nothing x')).toEqual(['']);
  });

  it('leaves hidden commands out', () => {
    for (const shell of ['bash', 'zsh', 'fish'] satisfies Shell[]) {
      expect(completionScript(program(), shell)).not.toMatch(/(^|[ '])secret[ ':]/m);
    }
  });

  it('quotes descriptions so that no shell evaluates them', () => {
    expect(completionScript(program(), 'zsh')).toContain(
      "'plan:what would be sent; it'\\''s a $(touch /nowhere) `dry` look'",
    );
    expect(completionScript(program(), 'fish')).toContain(
      "-a 'plan' -d 'what would be sent; it\\'s a $(touch /nowhere) `dry` look'",
    );
  });

  for (const shell of ['zsh', 'fish'] satisfies Shell[]) {
    const isMissing = spawnSync(shell, ['--version']).error !== undefined;
    it.skipIf(isMissing)(`is a script that ${shell} reads`, () => {
      const file = join(directory(), 'completion');
      writeFileSync(file, completionScript(program(), shell));
      const run = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
      expect(run.stderr).toBe('');
    });
  }
});
