/**
 * The texts of docs/reference: kinds of resources from the authoring API, commands and defaults from their own tables.
 * Invariant: every helper, command and key is on its page; running it twice gives the same text.
 * Never writes.
 */

import type { Command as Commander, Option } from 'commander';
import { describedDefaults } from '../inventory/defaults-schema.ts';
import { exitStatus, type Surroundings } from '../reconciler/cli/command.ts';
import { allCommands } from '../reconciler/cli/commands.ts';
import { wholeProgram } from '../reconciler/cli/program.ts';
import { type AuthoringDocs, authoringDocs, type Interface } from './authoring-docs.ts';

const everyKind = ['MetaParameters', 'OwnershipParameters'];
const written = 'This page is written by `npm run docs`';

/** docs/reference/resources.md */
export function resourcesPage(): string {
  const docs = authoringDocs();
  const intro = `# Resources

What a role's \`resources\` may list, and what each kind takes. Everything is imported from \`'towline'\`; how roles are
written is in [write a role](../guides/write-a-role.md). ${written} from the types that editors show.

${docs.helpers
  .map(({ name }) => `[${name}](#${name.toLowerCase()})`)
  .filter((each, index, all) => all.indexOf(each) === index)
  .join(' · ')}
`;
  const kinds = docs.helpers
    .filter(({ name }, index, all) => all.findIndex((each) => each.name === name) === index)
    .map(({ name }) => kindSection(docs, name));
  const shared = everyKind.map((name) => sharedSection(interfaceOf(docs, name)));
  return [intro, ...kinds, ...shared].join('\n');
}

function interfaceOf({ interfaces }: AuthoringDocs, name: string): Interface {
  const found = interfaces.get(name);
  if (found === undefined) throw new Error(`there is no interface ${name}`);
  return found;
}

function kindSection(docs: AuthoringDocs, name: string): string {
  const forms = docs.helpers.filter((each) => each.name === name);
  const chain = chainOf(docs, forms[0]?.takes ?? '');
  const rows = chain.filter((each) => !everyKind.includes(each.name)).flatMap(tableRows);
  const owned = chain.some((each) => each.name === 'OwnershipParameters')
    ? ' and [those of ownership](#ownership)'
    : '';
  return [
    `## ${name}`,
    '',
    ...forms.flatMap(({ text }) => [text, '']),
    ...tableHead,
    ...rows,
    '',
    `Also [those of every kind](#every-kind)${owned}.`,
    '',
  ].join('\n');
}

/** An interface with those it extends, itself first. */
function chainOf(docs: AuthoringDocs, name: string): Interface[] {
  const own = interfaceOf(docs, name);
  return [own, ...own.bases.flatMap((base) => chainOf(docs, base))];
}

function sharedSection(shared: Interface): string {
  const title = shared.name === 'MetaParameters' ? 'Every kind' : 'Ownership';
  return [`## ${title}`, '', shared.text, '', ...tableHead, ...tableRows(shared), ''].join('\n');
}

const tableHead = ['| parameter | takes | |', '|---|---|---|'];

function tableRows({ parameters }: Interface): string[] {
  return parameters.map(({ name, type, required, text }) => {
    const takes = cell(`\`${type}\``);
    return `| \`${name}\`${required ? ' (required)' : ''} | ${takes} | ${cell(text)} |`;
  });
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

/** docs/reference/defaults.md */
export function defaultsPage(): string {
  const sections = describedDefaults().map(({ section, keys }) =>
    [
      `## [${section}]`,
      '',
      '| key | takes | without it | |',
      '|---|---|---|---|',
      ...keys.map(
        (key) => `| \`${key.name}\` | ${cell(key.takes)} | ${cell(key.without)} | ${cell(key.does)} |`,
      ),
      '',
    ].join('\n'),
  );
  const intro = `# Defaults

What a controller's \`~/.towline/defaults.toml\`, else \`/etc/towline/defaults.toml\`, may say. Which value counts where
several say something is in [how to reach hosts](../guides/connections.md). ${written} from the
table that checks the file.
`;
  return [intro, ...sections].join('\n');
}

/** docs/reference/commands.md */
export async function commandsPage(): Promise<string> {
  const nowhere = { write: () => true } as unknown as Surroundings['stdout'];
  const surroundings = { stdout: nowhere, stderr: nowhere, version: '' } as Surroundings;
  const program = await wholeProgram(surroundings);
  const table = await allCommands(async () => program);
  const common = commonOptions(table.flatMap(({ name }) => commandAt(program, name) ?? []));
  const intro = `# Commands

\`towline COMMAND --help\` shows the same in a terminal. ${written} from the command line itself.

| command | does |
|---|---|
${table.map(({ name, args, summary }) => `| [\`${[name, args].filter(Boolean).join(' ')}\`](#${name.replaceAll(' ', '-')}) | ${cell(summary)} |`).join('\n')}

## Options of every command

${optionTable(common)}

## Exit status

| status | means |
|---|---|
| ${exitStatus.done} | done, or nothing to do |
| ${exitStatus.failure} | failure |
| ${exitStatus.differences} | differences found (\`plan\`, \`check\`, \`drift\`) |
| ${exitStatus.usage} | the command line is wrong |
| ${exitStatus.interrupted} | interrupted |
`;
  const sections = table.map((command) => {
    const sub = commandAt(program, command.name);
    const own = (sub?.options ?? []).filter(({ flags }) => !common.some((one) => one.flags === flags));
    return [
      `## ${command.name}`,
      '',
      `${command.summary}.`,
      '',
      '```sh',
      ...examples(command.examples),
      '```',
      '',
      ...(own.length === 0 ? [] : [optionTable(own), '']),
    ].join('\n');
  });
  return [intro, ...sections].join('\n');
}

/** A command by its words: `hosts trust`. */
function commandAt(program: Commander, name: string): Commander | undefined {
  return name
    .split(' ')
    .reduce<Commander | undefined>(
      (group, word) => group?.commands.find((each) => each.name() === word),
      program,
    );
}

function commonOptions(all: readonly Commander[]): Option[] {
  const [first, ...others] = all;
  return (first?.options ?? []).filter(({ flags }) =>
    others.every((each) => each.options.some((option) => option.flags === flags)),
  );
}

function optionTable(options: readonly Option[]): string {
  const rows = options.map(({ flags, description }) => `| \`${cell(flags)}\` | ${cell(description)} |`);
  return ['| option | |', '|---|---|', ...rows].join('\n');
}

function examples(lines: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...lines.map(([line]) => line.length));
  return lines.map(([line, does]) => `${line.padEnd(width)}  # ${does}`);
}
