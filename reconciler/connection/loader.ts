/**
 * The two texts that start an agent on a host without a file there: a line for sh and a loader for Node.
 * Invariant: the loader is ES5 and reads exactly the announced bytes; the script has no quote, backslash or line break of
 * its own, so that every login shell hands it to sh unchanged.
 * Pure text; nothing runs here.
 */

import { quote, quoteAll } from './quote.ts';
import { enterFunction, homeCache, sharedFolders } from './runtime/places.ts';

/** What the far end says first; everything before it is noise. */
export const startWords = ['ready', 'old', 'missing'] as const;
export type StartWord = (typeof startWords)[number];

export interface LoaderTask {
  /** Random; printed in front of the first word. */
  readonly marker: string;
  readonly sha256: string;
  /** Bytes of compressed code to read. */
  readonly size: number;
  readonly compression: 'brotli' | 'deflate';
}

/** Seconds the loader waits for its code before it ends. */
const codeDeadline = 60;

function loader(task: LoaderTask): string {
  const inflate = task.compression === 'brotli' ? 'brotliDecompressSync' : 'inflateRawSync';
  return `(function(){
var p=process,i=p.stdin,g=[],n=0,N=${task.size};
function say(w,f){p.stdout.write('\\n${task.marker} '+w+'\\n',f)}
function end(t){p.stderr.write('towline: '+t+'\\n',function(){p.exit(3)})}
if(parseInt(p.versions.node,10)<18)return say('old '+p.version,function(){p.exit(3)});
var t=setTimeout(function(){end('the code of the agent did not come in time')},${codeDeadline * 1000});
function read(){
var c;
while(n<N&&(c=i.read())!==null){g.push(c);n+=c.length}
if(n<N)return;
i.removeListener('readable',read);
clearTimeout(t);
var a=Buffer.concat(g),b=a.subarray(0,N),r=a.subarray(N);
if(require('crypto').createHash('sha256').update(b).digest('hex')!=='${task.sha256}')return end('the code of the agent arrived damaged');
g=[];p.env.TOWLINE_AGENT_DIGEST='${task.sha256}';global.towlineAgent=b;
if(r.length)i.unshift(r);
var m={exports:{}};
require('vm').runInThisContext('(function(require,module,exports){'+require('zlib').${inflate}(b)+'\\n})',{filename:'towline-agent.cjs'})(require,m,m.exports);
}
i.on('readable',read);
i.on('end',function(){if(n<N)p.exit(3)});
say('ready '+p.version);
})()`;
}

/** Young objects get so many MiB three times over: an agent makes much that is soon gone, and its host has better use for memory. */
const nodeFlags = '--max-semi-space-size=2';

const decode = 'eval((Buffer.from||Buffer)(process.argv[1],process.argv[2]).toString())';

export interface CommandOptions {
  readonly task: LoaderTask;
  /** The one runtime to use, instead of looking for one. */
  readonly runtime?: string | undefined;
  /** Words that start the script as another account. */
  readonly become?: readonly string[] | undefined;
  /** The far end has a terminal that must become a plain pipe first. */
  readonly pty: boolean;
}

/** The command line for the login shell of the far end. */
export function startCommand(options: CommandOptions): string {
  return shellCommand(startScript(options), options);
}

/** The command line that runs a script of ours; the script begins after the marker's line. */
export function scriptCommand(options: Way & { readonly marker: string; readonly script: string }): string {
  const [first, second] = halves(options.marker);
  // The marker stands in two words, so that a login shell that prints the command does not seem to answer.
  const script = [`echo`, `echo ${first}""${second} ready sh`, options.script].join('; ');
  return shellCommand(script, options);
}

type Way = Pick<CommandOptions, 'become' | 'pty'>;

function shellCommand(text: string, { become, pty }: Way): string {
  const script = [
    ...(become === undefined ? [] : ['unset LC_ALL']),
    ...(pty ? ['stty raw -echo', 'exec 2>/dev/null'] : []),
    text,
  ].join('; ');
  if (become === undefined) return `exec sh -c ${quote(script)}`;
  // su hands its last word to the account's shell, whatever that is; sudo and doas take a program and its words.
  const tail = become.at(-1) === '-c' ? [`exec /bin/sh -c ${quote(script)}`] : ['/bin/sh', '-c', script];
  return `exec env LC_ALL=C ${quoteAll([...become, ...tail])}`;
}

function halves(marker: string): readonly [string, string] {
  const half = marker.length / 2;
  return [marker.slice(0, half), marker.slice(half)];
}

function startScript(options: CommandOptions): string {
  const { task, runtime } = options;
  const code = Buffer.from(loader(task)).toString('base64');
  const [first, second] = halves(task.marker);
  const run = `cd /; exec "$n" ${nodeFlags} -e "${decode}" ${code} base64`;
  return [
    ...(runtime === undefined ? cachedRuntimes(run) : [`T=${scriptWord(runtime)}`]),
    `for n in ${runtime === undefined ? installedRuntimes : '"$T"'}; do if command -v "$n" >/dev/null 2>&1; then ${run}; fi; done`,
    `printf "%s%s missing " ${first} ${second}`,
    'uname -sm',
    'exit 3',
  ].join('; ');
}

const installedRuntimes = 'node nodejs /usr/local/bin/node /usr/bin/node /usr/bin/nodejs';

/** Runtimes that were shipped: only out of folders, and of files, that nobody but the account itself can have put there. */
function cachedRuntimes(run: string): readonly string[] {
  return [
    enterFunction,
    `for d in ${homeCache} ${sharedFolders}; do if enter "$d"; then for n in "$PWD"/*/node; do if [ -f "$n" ] && [ -x "$n" ] && [ -O "$n" ]; then ${run}; fi; done; fi; done`,
  ];
}

/** A word inside the script itself, which only sh reads: double quotes are enough for what a path may hold. */
function scriptWord(word: string): string {
  if (word.startsWith('~/')) return `"$HOME"${scriptWord(word.slice(1))}`;
  if (/["$`\\\n\r\0]/.test(word)) throw new RangeError(`not a path of a runtime: ${JSON.stringify(word)}`);
  return `"${word}"`;
}
