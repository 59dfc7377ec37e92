/**
 * The declarations of `'towline'` that editors read: one file, made of the sources of the authoring API.
 * Invariant: says exactly what those sources export; needs no compiler, since they hold types and one-line helpers only.
 * Pure.
 */

/** Files of the authoring API, in the order they appear in the declarations. */
export const declaredFiles = [
  'facts.ts',
  'resource.ts',
  'role.ts',
  'file.ts',
  'directory.ts',
  'line.ts',
  'software.ts',
  'account.ts',
  'command.ts',
  'control.ts',
] as const;

const header = `// The types of 'towline' in role files. Laid by \`towline types\`; changes here are lost.\n`;
const imports = /^import [\s\S]*?;\n/gmu;
const fileComment = /^\/\*\*[\s\S]*?\*\/\n/u;
const signature = /^export function (\w+)[\s\S]*?(?: \{\n(?: {2}.*\n)+\}|;)$/gmu;

/** The text of towline.d.ts; \`read\` gives the source of one of the declared files. */
export function declarations(read: (file: string) => string): string {
  const parts = declaredFiles.map((file) => declarationsOf(read(file)));
  return [header, ...parts].join('\n');
}

function declarationsOf(source: string): string {
  const overloaded = new Set<string>();
  const text = source.replace(fileComment, '').replaceAll(imports, '');
  return `${text
    .replaceAll(signature, (found, name: string) => {
      if (found.endsWith(';')) {
        overloaded.add(name);
        return found.replace('export function', 'export declare function');
      }
      if (overloaded.has(name)) return '';
      const head = found
        .slice(0, found.indexOf(' {\n  ', found.lastIndexOf('):')))
        .replace('export function', 'export declare function');
      return `${head.replaceAll(/(\w+): (\w+) = \{\}/gu, '$1?: $2')};`;
    })
    .trim()}\n`;
}
