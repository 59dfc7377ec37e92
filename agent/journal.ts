/**
 * What runs on this host have done that no session has recorded yet, and which handlers they still owe.
 * Invariant: a line is appended before the act it announces and after the act it reports, so a killed run is known on return;
 * a run that changed nothing leaves no file.
 * Never written in a dry run; holds results only where they are registered, and of sensitive resources their outcome only.
 */

import { type ConvergeResult, type JournalEntry, journalEntrySchema } from './protocol/message.ts';
import type { Registered, ResourceReport } from './protocol/outcome.ts';
import { readAtOnce } from './system/at-once.ts';
import { discardDirectory, discardFile } from './system/discard.ts';
import { appendFile, dirname, mkdirSync, readdir, writeFileSync } from './system/platform.ts';

interface Begin {
  readonly run: string;
  readonly key: string;
  readonly digest: string;
  readonly startedAt: string;
}

/** Each line has one of these members, `done` with what it registered. */
interface Line {
  readonly begin?: Begin;
  readonly owes?: readonly string[];
  readonly settled?: string;
  readonly done?: ResourceReport;
  readonly registered?: Registered | undefined;
  readonly end?: ConvergeResult;
  readonly recorded?: true;
}

interface Done {
  readonly report: ResourceReport;
  readonly registered?: Registered | undefined;
}

/** What earlier runs left: acts that an interrupted run of the same plan finished, and handlers that never ran well. */
export interface Interrupted {
  readonly run: string;
  readonly done: ReadonlyMap<string, Done>;
  readonly owes: ReadonlySet<string>;
}

interface Remembered {
  readonly file: string;
  readonly entry: JournalEntry;
  /** What was done outside handlers. */
  readonly done: Interrupted['done'];
  /** Handlers still due when it ended. */
  readonly owes: ReadonlySet<string>;
  /** Handlers that ran well, whichever run owed them. */
  readonly settled: readonly string[];
  readonly recorded: boolean;
}

const suffix = '.journal';
/** Most runs a hello tells of. */
const entriesLimit = 100;
/** Stands for a file whose first line was cut off by a crash: nothing was done under it. */
const torn = { run: '', key: '', digest: '', startedAt: '' };

export class Journal {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The last runs whose end no session has recorded, oldest first. */
  async entries(): Promise<readonly JournalEntry[]> {
    const all = (await this.#remembered()).filter(({ recorded }) => !recorded);
    return all.slice(-entriesLimit).map(({ entry }) => entry);
  }

  /** What earlier runs of this key left. Acts count only for the same digest and an interrupted run; owed handlers always. */
  async interrupted(key: string, digest: string): Promise<Interrupted | undefined> {
    const mine = (await this.#remembered()).filter(({ entry }) => entry.key === key && !entry.result?.ok);
    if (mine.length === 0) return undefined;
    const merged = new Map<string, Done>();
    const owes = new Set<string>();
    for (const { entry, done, owes: owed, settled } of mine) {
      for (const handler of settled) owes.delete(handler);
      for (const handler of owed) owes.add(handler);
      if (entry.digest !== digest || entry.result?.complete) continue;
      for (const [resource, each] of done) merged.set(resource, each);
    }
    return { run: mine.map(({ entry }) => entry.run).join(', '), done: merged, owes };
  }

  /** Opens the record of one converge; its file appears with the first line that matters. */
  record(begin: Begin): JournalRecord {
    const name = `${begin.run}.${begin.key}`.replaceAll(/[^A-Za-z0-9._-]/g, '_');
    return new JournalRecord(`${this.#directory}/${name}${suffix}`, begin);
  }

  /** These runs are recorded elsewhere: tells nobody of them again, and forgets those that the next converge can do without. */
  async recorded(runs: readonly string[]): Promise<void> {
    const known = (await this.#remembered()).filter(({ entry }) => runs.includes(entry.run));
    const kept = known.filter(isNeeded);
    await Promise.all(
      kept
        .filter(({ recorded }) => !recorded)
        .map(({ file }) => appendFile(file, `\n${JSON.stringify({ recorded: true })}\n`).catch(() => {})),
    );
    await this.#remove(known.filter((each) => !isNeeded(each)));
  }

  /** A later converge of this key has ended well: nothing is owed any more. Needs the host lock: nobody else is beginning a file. */
  async settle(key: string, run: string): Promise<void> {
    await this.#remove(
      (await this.#remembered()).filter(({ entry }) => (entry.key || key) === key && entry.run !== run),
    );
  }

  async #remove(gone: readonly Remembered[]): Promise<void> {
    await Promise.all(gone.map(({ file }) => discardFile(file)));
    if (gone.length === 0) return;
    // What still holds something stays, and with it what holds that.
    await discardDirectory(this.#directory);
    await discardDirectory(dirname(this.#directory));
  }

  async #remembered(): Promise<readonly Remembered[]> {
    const names = await readdir(this.#directory).catch(() => []);
    return names
      .filter((name) => name.endsWith(suffix))
      .map((name) => `${this.#directory}/${name}`)
      .map((file) => remember(file, readAtOnce(file) ?? ''))
      .filter((remembered) => remembered !== undefined)
      .sort((a, b) => (a.entry.startedAt < b.entry.startedAt ? -1 : 1));
  }
}

/** Whether it owes handlers, or was interrupted after acts that must not be done twice. */
function isNeeded({ entry, owes }: Remembered): boolean {
  if (entry.result?.ok) return false;
  return owes.size > 0 || (!entry.result?.complete && entry.reports.length > 0);
}

/**
 * The record of one converge, written as it goes: at once and without a thread, since a line is a few bytes into the kernel's
 * memory, while four trips through Node's threads would cost as much as many a resource.
 */
export class JournalRecord {
  readonly #file: string;
  readonly #begin: Line;
  #started = false;
  #failed = false;

  constructor(file: string, begin: Begin) {
    this.#file = file;
    this.#begin = { begin };
  }

  /** Before a resource acts: these handlers will be due. */
  owes(handlers: readonly string[]): void {
    this.#append({ owes: handlers });
  }

  /** After a handler ran well. */
  settled(handler: string): void {
    this.#append({ settled: handler });
  }

  /** After a resource acted. */
  done(report: ResourceReport, registered: Registered | undefined): void {
    this.#append({ done: { ...report, changes: [] }, registered });
  }

  /** The converge ended; a record without acts stays unwritten. */
  end(result: ConvergeResult): void {
    if (this.#started) this.#append({ end: { ...result, reports: [] } });
  }

  /** A host whose disk cannot take the journal can still be converged: the loss is only in what a killed run tells. */
  #append(line: Line): void {
    if (this.#failed) return;
    const lines = this.#started ? [line] : [this.#begin, line];
    try {
      // From then on it stays, since it holds this file.
      if (!this.#started) mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
      this.#started = true;
      writeFileSync(this.#file, lines.map((each) => `${JSON.stringify(each)}\n`).join(''), {
        flag: 'a',
        mode: 0o600,
      });
    } catch {
      this.#failed = true;
    }
  }
}

function remember(file: string, text: string): Remembered | undefined {
  const lines = text.split('\n').flatMap((line) => parseLine(line));
  const begin = lines[0]?.begin ?? torn;
  const reports: ResourceReport[] = [];
  const done = new Map<string, Done>();
  const owes = new Set<string>();
  const settled: string[] = [];
  let result: ConvergeResult | undefined;
  let recorded = begin === torn;
  for (const line of lines) {
    const { done: report, registered } = line;
    for (const handler of line.owes ?? []) owes.add(handler);
    if (line.settled !== undefined) {
      settled.push(line.settled);
      owes.delete(line.settled);
    }
    result = line.end ?? result;
    recorded ||= line.recorded === true;
    if (!report) continue;
    reports.push(report);
    if (report.handler === undefined) done.set(report.resource, { report, registered });
  }
  const entry = journalEntrySchema.safeParse({ ...begin, reports, result: result && { ...result, reports } });
  return entry.success ? { file, entry: entry.data, done, owes, settled, recorded } : undefined;
}

/** A line cut off by a crash is no line. */
function parseLine(line: string): Line[] {
  try {
    return [Object(JSON.parse(line)) as Line];
  } catch {
    return [];
  }
}
