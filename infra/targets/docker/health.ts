/** Scripts for bash that look at a service from inside its container; the images have no curl. */

/**
 * Whether an HTTP answer has a text in it.
 *
 * @param text what to find; by default the status 200
 */
export function answers(port: number, path: string, text = " 200 "): string {
  return (
    `exec 3<>/dev/tcp/127.0.0.1/${port} && ` +
    `printf 'GET ${path} HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && ` +
    `answer=$(cat <&3) && [[ $answer == *'${text}'* ]]`
  );
}

/** Whether a port takes connections. */
export function accepts(port: number): string {
  return `exec 3<>/dev/tcp/127.0.0.1/${port}`;
}
