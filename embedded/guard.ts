import { spawn, type ChildProcess } from "node:child_process";

/**
 * Ends process groups when this process has ended, however it ended: a shell reads their numbers
 * from a pipe until the pipe closes. TERM first, and KILL for what has not ended a second later.
 */
const script = `
groups=" "
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) groups="\${groups%% $group *} \${groups#* $group }" ;;
  esac
done
[ "$groups" = " " ] && exit
for group in $groups; do kill -s TERM -- "-$group"; done
sleep 1
for group in $groups; do kill -s KILL -- "-$group"; done`;

let shell: ChildProcess | undefined;

/** @returns a function to call when the group has ended */
export function guardGroup(group: number | undefined): () => void {
  if (group === undefined) return () => undefined;
  if (!shell || shell.exitCode !== null) {
    shell = spawn("/bin/sh", ["-c", script], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    shell.on("error", () => undefined);
    shell.stdin?.on("error", () => undefined);
    shell.unref();
    (shell.stdin as unknown as { unref(): void }).unref();
  }
  const { stdin } = shell;
  stdin?.write(`+ ${group}\n`);
  return () => void stdin?.write(`- ${group}\n`);
}
