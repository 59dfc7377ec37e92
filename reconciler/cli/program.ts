/**
 * The command line as commander sees it, built from the table of commands.
 * Invariant: every command has the common options, its own, and examples in its help; usage errors end with 64.
 * Never runs a command's work itself, and loads only the one that is asked for.
 */

import { Command as Commander, CommanderError, Option } from 'commander';
import {
  type Command,
  type ExitStatus,
  exitStatus,
  type OptionName,
  type Options,
  type Surroundings,
} from './command.ts';
import { allCommands, commandsFor } from './commands.ts';

const list = (value: string, before: readonly string[] | undefined): string[] => [
  ...(before ?? []),
  ...value.split(',').map((part) => part.trim()),
];
const collect = (value: string, before: readonly string[] | undefined): string[] => [
  ...(before ?? []),
  value,
];
const count = (_: string, before: number): number => before + 1;

const ownOptions: Readonly<Record<OptionName, () => Option>> = {
  rev: () => new Option('--rev <COMMIT>', 'a revision instead of the branch’s newest'),
  worktree: () => new Option('--worktree', 'the files as they are on disk, committed or not'),
  local: () => new Option('--local', 'apply to this machine, without SSH'),
  force: () => new Option('--force', 'also what is applied already'),
  once: () => new Option('--once', 'exit after the first pass'),
  limit: () => new Option('-n, --limit <COUNT>', 'how many at most'),
  timeout: () => new Option('--timeout <SECONDS>', 'how long to wait'),
  convergedTimeout: () =>
    new Option('--converged-timeout <SECONDS>', 'exit after so many seconds without anything to do'),
  host: () => new Option('--host <HOST>', 'only what concerns this host'),
  cache: () => new Option('--no-cache', 'remove a Node that was shipped to a host once it runs'),
  yes: () => new Option('--yes', 'do not ask'),
  dir: () => new Option('--dir <DIR>', 'a new or empty directory that is kept afterwards'),
  connection: () => new Option('--connection', 'how the host is reached, and who says so'),
  role: () => new Option('--role <ROLE>', 'with --connection: with what this role asks for'),
};

/** Parses the arguments and runs what they ask for. */
export async function runProgram(argv: readonly string[], surroundings: Surroundings): Promise<ExitStatus> {
  let status: ExitStatus = exitStatus.done;
  const whole = () => wholeProgram(surroundings);
  const program = buildProgram(await commandsFor(argv[0], whole), surroundings, (ended) => {
    status = ended;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return status;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitStatus.done : exitStatus.usage;
  }
}

/** The program with every command, as its help and its completion show it; it runs nothing. */
export async function wholeProgram(surroundings: Surroundings): Promise<Commander> {
  const table = await allCommands(() => wholeProgram(surroundings));
  return buildProgram(table, surroundings, () => {});
}

/** The program of these commands; `done` gets the exit status of the one that ran. */
function buildProgram(
  commands: readonly Command[],
  surroundings: Surroundings,
  done: (status: ExitStatus) => void,
): Commander {
  const program = new Commander('towline')
    .description('GitOps for ordinary Linux hosts, over SSH.')
    .version(surroundings.version, '-V, --version')
    .showHelpAfterError('(towline --help shows what there is)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void surroundings.stdout.write(text),
      writeErr: (text) => void surroundings.stderr.write(text),
    });
  for (const command of commands) addCommand(program, command, { surroundings, done });
  return program;
}

function addCommand(
  program: Commander,
  command: Command,
  { surroundings, done }: { surroundings: Surroundings; done: (status: ExitStatus) => void },
): void {
  const sub = program
    .command(`${command.name}${command.args === undefined ? '' : ` ${command.args}`}`)
    .description(command.summary);
  addCommonOptions(sub);
  for (const name of command.options ?? []) sub.addOption(ownOptions[name]());
  const width = Math.max(...command.examples.map(([line]) => line.length));
  const examples = command.examples.map(([line, does]) => `  ${line.padEnd(width)}  ${does}`);
  sub.addHelpText('after', `\nExamples:\n${examples.join('\n')}`);
  sub.passThroughOptions(false).action(async () => {
    const args = sub.args;
    const options = { ...defaults, ...sub.opts() } as Options;
    done(await command.run({ args, options: withColour(options, sub), surroundings }));
  });
}

function addCommonOptions(sub: Commander): void {
  sub
    .option('-C, --repo <LOCATION>', 'the policy repository: a directory or an http(s) URL', '.')
    .option('--state <DIR>', 'where Towline keeps its state')
    .option('-E, --env <NAME>', 'the environment; needed where there are several')
    .option('--trusted-branch <NAME>', 'the branch whose towline.toml counts')
    .option('--limit-hosts <PATTERNS>', 'only these hosts (comma separated, * and ?)', list)
    .option('--limit-groups <PATTERNS>', 'only hosts of these groups', list)
    .option('--tags <TAGS>', 'only resources with one of these tags', list)
    .option('--skip-tags <TAGS>', 'leave out resources with one of these tags', list)
    .option('-e, --extra-vars <K=V|@FILE>', 'variables that come before all others', collect)
    .addOption(new Option('--only <WHAT>', 'narrow to hosts whose last try failed').choices(['failed']))
    .option('--json', 'one JSON event or document a line, for programs')
    .option('-v, --verbose', 'say more; twice says all', count, 0)
    .option('--no-color', 'no colours (as NO_COLOR does)');
}

const defaults: Omit<Options, 'repo'> = {
  limitHosts: [],
  limitGroups: [],
  extraVars: [],
  json: false,
  verbose: 0,
  color: undefined,
  worktree: false,
  local: false,
  force: false,
  once: false,
  yes: false,
  connection: false,
};

/** commander sets `color` to true when --no-color is absent; absent must mean: find out. */
function withColour(options: Options, sub: Commander): Options {
  return { ...options, color: sub.getOptionValueSource('color') === 'cli' ? options.color : undefined };
}
