/**
 * The repository's source as data for the architecture tests: files, their text, what they import.
 * Invariant: files are discovered by folder, so a new file is held to the rules without being listed.
 * Never runs the code it looks at.
 */

import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** Path inside the repository for a relative import. */
  readonly target?: string;
  readonly typeOnly: boolean;
  /** Loaded when the code gets there, not with the file. */
  readonly onDemand: boolean;
}

export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

/** Every TypeScript file below the folders, sorted by path. */
export function sourceFiles(...folders: readonly string[]): SourceFile[] {
  const paths = folders.flatMap((folder) => globSync(`${folder}/**/*.{ts,mjs,cjs}`, { cwd: root }));
  return paths.sort().map((path) => {
    const text = readFileSync(join(root, path), 'utf8');
    return { path, text, imports: importsOf(path, text) };
  });
}

const statement = /^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;
const dynamic = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

function importsOf(path: string, text: string): Import[] {
  const code = withoutComments(text);
  const found = [
    ...[...code.matchAll(statement)].map((match) => ({
      ...{ type: match[1] !== undefined, onDemand: false },
      to: match[2] ?? '',
    })),
    ...[...code.matchAll(dynamic)].map((match) => ({ type: false, onDemand: true, to: match[1] ?? '' })),
  ];
  return found.map(({ type, onDemand, to }) => {
    const about = { specifier: to, typeOnly: type, onDemand };
    return to.startsWith('.') ? { ...about, target: join(dirname(path), to) } : about;
  });
}

/** The text without block comments and whole-line comments: enough for rules that look for words. */
export function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

/** Circles of imports among the files, each as a path that ends where it began. */
export function circles(files: readonly SourceFile[]): string[][] {
  const graph = new Map(files.map((file) => [file.path, file.imports.flatMap((one) => one.target ?? [])]));
  const done = new Set<string>();
  const found: string[][] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) found.push([...trail.slice(trail.indexOf(path)), path]);
    if (trail.includes(path) || done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}

/** The files that are loaded with a file, itself among them. */
export function loadedWith(path: string, files: readonly SourceFile[]): SourceFile[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const found = new Set<string>([path]);
  for (const each of found) {
    for (const one of byPath.get(each)?.imports ?? [])
      if (one.target !== undefined && !one.typeOnly && !one.onDemand) found.add(one.target);
  }
  return [...found].flatMap((each) => byPath.get(each) ?? []);
}

/** Whether a path inside the repository is there. */
export function present(path: string): boolean {
  return existsSync(join(root, path));
}
