/**
 * Variables that decide which programs and libraries a process loads, and where it writes. In a container they concern
 * nobody else; here they would reach the runtime's own interpreter, Java and supervisor.
 */
const RESERVED_PREFIX =
  /^(?:LD_|DYLD_|GLIBC_|MALLOC_|PYTHON|JAVA_|_JAVA_|JDK_|LOG4J_|TS_|OPENSSL_)/;
const RESERVED: ReadonlySet<string> = new Set([
  ...["PATH", "HOME", "TMP", "TEMP", "TMPDIR", "CLASSPATH", "GCONV_PATH", "BASH_ENV", "ENV"],
  ...["LOG_LOCATION", "METRICS_LOCATION"],
]);
const NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/;

/** The variables that a server process may have, and the names of those that it may not. */
export function splitEnvironment(env: Readonly<Record<string, string>>): {
  readonly kept: Readonly<Record<string, string>>;
  readonly dropped: readonly string[];
} {
  const names = Object.keys(env);
  return {
    kept: Object.fromEntries(Object.entries(env).filter(([name]) => isKept(name))),
    dropped: names.filter((name) => !isKept(name)),
  };
}

function isKept(name: string): boolean {
  return NAME.test(name) && !RESERVED.has(name) && !RESERVED_PREFIX.test(name);
}
