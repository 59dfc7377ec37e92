/**
 * Completion scripts for bash, zsh and fish, made from the commands as they are declared.
 * Invariant: only names and descriptions of our own commands get into a script, single-quoted; nothing is run at completion time.
 * Pure; never completes with data from hosts.
 */

import type { Command, Option } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

interface Word {
  readonly word: string;
  readonly about: string;
}

interface CommandWords {
  readonly path: readonly string[];
  readonly words: readonly Word[];
}

/** The script for a shell. */
export function completionScript(program: Command, shell: Shell): string {
  const name = program.name();
  const all = [...walk(program, [])];
  switch (shell) {
    case 'bash':
      return bashScript(name, all);
    case 'zsh':
      return zshScript(name, all);
    case 'fish':
      return fishScript(name, all);
  }
}

function* walk(command: Command, path: readonly string[]): Generator<CommandWords> {
  const help = command.createHelp();
  const commands = help.visibleCommands(command);
  const options = [
    ...help.visibleOptions(command),
    ...help.visibleGlobalOptions(command),
    ...inherited(command),
  ];
  const words = [
    ...commands.map((one) => ({ word: one.name(), about: one.summary() || one.description() })),
    ...options.flatMap(optionWords),
  ];
  yield { path, words: [...new Map(words.map((word) => [word.word, word])).values()] };
  for (const child of commands) yield* walk(child, [...path, child.name()]);
}

function inherited(command: Command): Option[] {
  return command.parent === null ? [] : command.createHelp().visibleOptions(command.parent);
}

function optionWords({ short, long, description }: Option): Word[] {
  return [long, short].flatMap((word) => (word ? [{ word, about: description }] : []));
}

function bashScript(name: string, all: readonly CommandWords[]): string {
  const cases = all.map(
    ({ path, words }) => `    ${quote(path.join(' '))}) words=${quote(joined(words))} ;;`,
  );
  const known = all.filter(({ path }) => path.length > 0).map(({ path }) => quote(path.join(' ')));
  return `# bash completion for ${name}
_${name}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='' try word words='' index
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    try="\${path:+$path }$word"
    case "$try" in
      ${known.join('|') || "''"}) path="$try" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=()
  for word in $words; do
    [[ "$word" == "$current"* ]] && COMPREPLY+=("$word")
  done
  return 0
}
complete -o default -F _${name} ${name}
`;
}

function zshScript(name: string, all: readonly CommandWords[]): string {
  const cases = all.map(({ path, words }) => {
    const items = words.map(({ word, about }) => quote(`${word.replaceAll(':', '\\:')}:${oneLine(about)}`));
    return `    ${quote(path.join(' '))}) items=(${items.join(' ')}) ;;`;
  });
  const known = all.filter(({ path }) => path.length > 0).map(({ path }) => quote(path.join(' ')));
  return `#compdef ${name}
_${name}() {
  local place='' try word
  local -a items
  for word in "\${(@)words[2,CURRENT-1]}"; do
    try="\${place:+$place }$word"
    case "$try" in
      (${known.join('|') || "''"}) place="$try" ;;
    esac
  done
  case "$place" in
${cases.join('\n').replaceAll(/^ {4}'/gm, "    ('")}
  esac
  _describe '${name}' items || _files
}
compdef _${name} ${name}
`;
}

function fishScript(name: string, all: readonly CommandWords[]): string {
  const lines = all.flatMap(({ path, words }) => words.map((word) => fishLine(name, path, word)));
  return `# fish completion for ${name}\n${lines.join('\n')}\n`;
}

function fishLine(name: string, path: readonly string[], { word, about }: Word): string {
  const seen = path.map((part) => `__fish_seen_subcommand_from ${part}`).join('; and ');
  const condition = quote(path.length === 0 ? '__fish_use_subcommand' : seen);
  const what = word.startsWith('--')
    ? `-l ${word.slice(2)}`
    : word.startsWith('-')
      ? `-s ${word.slice(1)}`
      : `-a ${quote(word)}`;
  return `complete -c ${name} -n ${condition} ${what} -d ${fishQuote(oneLine(about))}`;
}

function joined(words: readonly Word[]): string {
  return words.map(({ word }) => word).join(' ');
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function fishQuote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
