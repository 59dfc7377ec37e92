import { describe, expect, it } from 'vitest';
import { allCommands } from '../../../reconciler/cli/commands.ts';
import { wholeProgram } from '../../../reconciler/cli/program.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';
import { runTowline } from '../../helpers/towline-command.ts';
import { towline } from './in-process.ts';

const fresh = temporaryDirectories();
const place = { directory: fresh(), state: fresh() };
const run = (...argv: string[]) => towline(argv, place);
const table = await allCommands(() => {
  throw new Error('the program is not asked for its table');
});

describe('the command line', () => {
  it('tells its version and its commands', async () => {
    expect(await run('--version')).toEqual({ status: 0, stdout: '0.0.0-test\n', stderr: '' });
    const help = await run('--help');
    expect(help.status).toBe(0);
    for (const { name } of table) expect(help.stdout).toContain(name);
  });

  it.each(table.map(({ name, examples }) => [name, examples] as const))(
    'shows in the help of %s its examples, each of which is a line it takes',
    async (name, examples) => {
      const help = await run(name, '--help');
      expect(help.status).toBe(0);
      expect(examples.length).toBeGreaterThan(0);
      for (const [line, does] of examples) {
        expect(help.stdout).toContain(line);
        expect(help.stdout).toContain(does);
        expect(line).toMatch(new RegExp(`^towline ${name}\\b`));
      }
    },
  );

  it.each(table.map(({ name }) => [name]))(
    'refuses an option that %s does not have with 64',
    async (name) => {
      const refused = await run(name, '--no-such-option', 'a', 'b');
      expect([refused.status, refused.stdout]).toEqual([64, '']);
      expect(refused.stderr).toContain('--no-such-option');
    },
  );

  it.each([
    [['nonsense']],
    [[]],
    [['status', 'too', 'many']],
    [['explain', 'host-only']],
    [['apply', '--only', 'good']],
    [['history', '-n', 'many']],
    [['history', '-n', '0']],
    [['completion', 'tcsh']],
    [['apply', '--host', 'a']],
  ])('ends with 64 for %j', async (argv) => {
    const refused = await run(...argv);
    expect([refused.status, refused.stdout]).toEqual([64, '']);
    expect(refused.stderr).not.toBe('');
  });

  it('writes completion scripts that name every command', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { status, stdout } = await run('completion', shell);
      expect(status).toBe(0);
      for (const { name } of table) expect(stdout).toContain(name);
    }
  });

  it('gives every command the common options', async () => {
    const surroundings = { version: '1', stdout: { write: () => true }, stderr: { write: () => true } };
    const program = await wholeProgram(surroundings as never);
    for (const command of program.commands) {
      const options = command.options.map(({ long }) => long);
      expect(options).toEqual(
        expect.arrayContaining(['--repo', '--state', '--env', '--json', '--limit-hosts', '--no-color']),
      );
    }
  });

  it('as a process of its own gives the exit status, and survives a reader that has seen enough', async () => {
    const where = { directory: fresh(), home: fresh() };
    expect(await runTowline(['--version'], where)).toMatchObject({ status: 0, stderr: '' });
    expect((await runTowline(['status', '--nonsense'], where)).status).toBe(64);
    expect((await runTowline(['validate'], where)).status).toBe(1);
  });
});
