/**
 * One host of four is hostile and puts escapes, controls and bidi overrides into every text that the protocol has.
 * Invariant: the texts come from the schema itself, so that a new member is among them from its first day; nothing of it reaches a
 * terminal, a pipe or a JSON line raw, and the other three hosts are served.
 * The command line, the lines, the store and three of the agents are real.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentMessage, agentMessageSchema } from '../../../agent/protocol/message.ts';
import type { HostileScript } from '../../helpers/hostile-program.ts';
import { scriptedRuntime } from '../../helpers/hostile-runtime.ts';
import { schemaSamples } from '../../helpers/schema-samples.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';
import { SmallFleet } from '../flow/small-fleet.ts';
import { type Ended, jsonLines, type Place, towline } from './in-process.ts';

/** A title, a cleared screen, C1 forms of both, a bell, bidi overrides and isolates, line separators, a return, an invisible tag. */
const poison =
  '\u001b]0;t\u0007\u001b[2J\u009d0;t\u009c\u009b2J\u0007\u202e\u2066\u2028\u2029\r\u0085\u{e0041}\u200b';
const raw =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069]|\u{e0041}/u;
/** On a terminal our own colours, cursor moves and line ends are allowed. */
const ours = /\u001b\[[0-9;?]*[A-HJKlhm]|\u001b\[(?:2J|3J|G|H)|[\r]/gu;

const marker = (place: string): string => `<${place}>`;

/** Messages with poison in every text; in even rounds their problems have a code of ours, in odd ones a code is poison too. */
function samplesOf(index: number): readonly AgentMessage[] {
  const isKnown = (place: string): boolean => index % 2 === 0 && place.endsWith('.code');
  const text = (place: string): string => (isKnown(place) ? 'command.failed' : marker(place) + poison);
  return schemaSamples(agentMessageSchema, { text, word: (all) => all[index % all.length] });
}

/** What the program says in a round; each has other words of the closed vocabularies. */
function scriptOf(index: number): HostileScript {
  const samples = samplesOf(index);
  const of = (type: AgentMessage['type']): readonly AgentMessage[] =>
    samples.filter((sample) => sample.type === type);
  const converged = of('converged').map((sample) =>
    sample.type === 'converged' ? { ...sample, result: { ...sample.result, ok: index % 2 === 0 } } : sample,
  );
  return {
    hello: of('hello')[0] as object,
    converge: [...of('events'), ...converged],
    exec: [...of('events'), ...of('executed')],
    facts: of('facts'),
    stderr: `${marker('stderr')}${poison}\n`,
  };
}

const fresh = temporaryDirectories();
let fleet: SmallFleet;
let place: Place;
let write: (script: HostileScript) => void;

beforeAll(async () => {
  fleet = await SmallFleet.start(fresh(), ['bad', 'good-1', 'good-2', 'good-3'], {
    'towline.toml': '[environments.test]\nbranch = "main"\ninventory = "inventory.toml"\n',
    'roles/site/role.ts': roleText('0'),
  });
  const scripted = await scriptedRuntime(fresh());
  write = scripted.write;
  fleet.commit({ 'inventory.toml': fleet.inventory({ bad: { towline_runtime: scripted.runtime } }) });
  place = { directory: fleet.repository, state: fresh() };
});
afterAll(() => fleet.stop());

function roleText(content: string): string {
  return `import { defineRole, file } from 'towline'
export default defineRole({
  maxFailures: '100%',
  resources: ({ vars }) => [file(vars.root + '/site', { content: '${content}' })],
})
`;
}

function expectClean(argv: readonly string[], { stdout, stderr }: Ended): void {
  for (const text of [stdout, stderr]) {
    const found = raw.exec(text);
    const around = text.slice(Math.max(0, (found?.index ?? 0) - 80), (found?.index ?? 0) + 10);
    expect(found === null ? '' : JSON.stringify(around), argv.join(' ')).toBe('');
  }
}

async function run(...argv: string[]): Promise<string> {
  const ended = await towline(argv, place);
  expectClean(argv, ended);
  return ended.stdout + ended.stderr;
}

/** The free texts of some messages, by place. */
function placesIn(types: readonly AgentMessage['type'][], index: number): string[] {
  const samples = samplesOf(index).filter(({ type }) => types.includes(type));
  return [
    ...new Set([...JSON.stringify(samples).matchAll(/<(\.[^>]*)>/g)].map(([, found]) => found as string)),
  ];
}

/** What the answer to a call names is ours, and whom a problem is about is known from its line. */
const isOurs = (found: string): boolean =>
  /^\.result\.(key|digest|run)$/.test(found) || /\.where\.(environment|host|role)$/.test(found);
/** Advice comes with a code of ours only. */
const isAdvice = (found: string): boolean => found.endsWith('.hint');

describe('a host that poisons every text it sends', { timeout: 120_000 }, () => {
  it.each([0, 1, 2, 3, 4])(
    'is shown escaped by every command that changes or looks, round %i',
    async (index) => {
      write(scriptOf(index));
      fleet.commit({ 'roles/site/role.ts': roleText(`round ${index}`) });
      const applied = await run('apply', '--json');
      const expected = placesIn(['events', 'converged'], index).filter((each) => !isOurs(each));
      for (const found of expected.filter((each) => index % 2 === 0 || !isAdvice(each)))
        expect(applied.includes(marker(found)), found).toBe(true);
      const finished = jsonLines(applied).at(-1) as {
        summary: { hosts: { changed: string[]; unchanged: string[] } };
      };
      expect(finished.summary.hosts.changed).toEqual(expect.arrayContaining(['good-1', 'good-2', 'good-3']));
      for (const name of ['good-1', 'good-2', 'good-3'])
        expect(readFileSync(join(fleet.host(name).root, 'site'), 'utf8')).toBe(`round ${index}`);
      await run('apply', '--force', '-vv');
    },
  );

  it.each([
    ['drift', '-vv'],
    ['run', '--once'],
    ['plan', '--json'],
    ['explain', 'bad', 'site'],
    ['check', '--force'],
  ])('is shown escaped by %s %s', async (...argv) => void (await run(...argv)));

  it('is shown escaped by every command that shows what was', async () => {
    const shown = await run('show', '-vv', (await lastApply()) ?? '');
    expect(shown).toMatch(/<\.result\.reports\[\]\.(resource|problem\.message)>/);
    for (const argv of [
      ['status'],
      ['status', '-v'],
      ['history'],
      ['inventory', '-v'],
      ['inventory', 'bad'],
      ['show'],
    ])
      for (const more of [[], ['--json']]) await run(...argv, ...more);
  });

  it('is shown escaped by the commands that ask it', async () => {
    const facts = await run('facts', 'bad', '--json');
    for (const found of placesIn(['facts'], 0).filter((each) => each.startsWith('.facts.')))
      expect(facts, found).toContain(marker(found));
    expect(await run('facts', 'bad')).toContain(marker('.facts.machineId'));
    expect(await run('ping', '*')).toContain(marker('.facts.account.user'));
    expect(await run('exec', 'bad', '--', 'true')).toContain(marker('.events[].text'));
    expect(await run('exec', 'bad', '--json', '--', 'true')).toContain(marker('.events[].text'));
  });

  it('is shown escaped on a terminal, where only our own sequences are', async () => {
    for (const argv of [
      ['apply', '--force', '-vv'],
      ['check', '--force'],
      ['status', '-v'],
      ['facts', 'bad'],
      ['exec', 'bad', '--', 'true'],
      ['show', '-vv'],
    ]) {
      const { stdout, stderr } = await towline(argv, { ...place, terminal: true });
      expect(stdout, argv.join(' ')).not.toMatch(/\u001b\]|\u009d|\u0007/);
      expectClean(argv, { status: 0, stdout: stdout.replaceAll(ours, ''), stderr });
    }
  });

  it('is shown escaped when it goes away with its last words', async () => {
    const script = scriptOf(0);
    const [goodbye] = samplesOf(0).filter(({ type }) => type === 'goodbye');
    const last = [goodbye as object, { type: `<type>${poison}` }];
    write({ ...script, converge: last, exec: last });
    fleet.commit({ 'roles/site/role.ts': roleText('the end') });
    expect(await run('apply', '-vv')).toContain('protocol.bad-message');
    expect(await run('exec', 'bad', '--', 'true')).toContain('protocol.bad-message');
    for (const argv of [
      ['status', '-v'],
      ['show', '-vv'],
      ['show', '--json'],
      ['status', '--json'],
    ])
      await run(...argv);
  });
});

async function lastApply(): Promise<string | undefined> {
  const runs = jsonLines(await run('history', '--json')).flat() as unknown as {
    run: string;
    mode: string;
    summary?: { outcome: string };
  }[];
  return runs.find(({ summary }) => summary?.outcome === 'failed' || summary?.outcome === 'done')?.run;
}
