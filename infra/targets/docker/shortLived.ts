import { user } from "./place";
import { stackId } from "../../stack/owner";
import { idLabel } from "./names";

/**
 * The `docker` arguments of a container that lives only to write into a volume, from its stdin: an
 * argument or a variable would show in `docker inspect` and in the process list.
 */
export function shortLived(
  stack: string,
  image: string,
  mount: { readonly volume: string; readonly folder: string },
): string[] {
  return [
    ...[
      "run",
      "--rm",
      "--interactive",
      "--network",
      "none",
      "--label",
      `${idLabel}=${stackId(stack)}`,
    ],
    ...[
      "--user",
      user,
      "--cap-drop",
      "ALL",
      "--security-opt",
      "no-new-privileges:true",
      "--read-only",
    ],
    ...["--volume", `${mount.volume}:${mount.folder}`, "--workdir", mount.folder, image],
  ];
}
