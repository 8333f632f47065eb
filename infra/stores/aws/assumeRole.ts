import { spawnSync } from "node:child_process";
import { toolEnvironment } from "../../host/environment";
import { UserError } from "../../contracts/errors";

/** Keys that hold for a while. */
export interface TemporaryKeys {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly sessionToken: string;
}

/** For how long the keys hold: the most that AWS gives to whoever has come by a role already. */
const sessionSeconds = 3600;

/**
 * Takes the pipelines' role by the AWS CLI, which finds the user's own credentials by the usual
 * chain: variables, profiles, single sign-on, the machine's role. The keys come by a pipe.
 *
 * @throws UserError where there is no AWS CLI, or it is refused
 */
export function assumeRole(roleArn: string, region: string, session: string): TemporaryKeys {
  const done = spawnSync(
    "aws",
    [
      ...["sts", "assume-role", "--role-arn", roleArn, "--region", region],
      ...["--role-session-name", session.replace(/[^\w+=,.@-]/g, "-").slice(0, 64)],
      ...["--duration-seconds", String(sessionSeconds), "--output", "json"],
    ],
    { encoding: "utf8", env: { ...toolEnvironment("aws"), AWS_PAGER: "" } },
  );
  const refused = (why: string) =>
    new UserError(
      `the role ${roleArn} cannot be taken: ${why}`,
      "the pipelines reach their buckets by it, and by no other keys",
      "see that the AWS CLI is installed, that `aws sts get-caller-identity` names who you are, and that you " +
        "may do sts:AssumeRole",
    );
  if (done.error) throw refused(done.error.message);
  if (done.status !== 0) throw refused(done.stderr.trim().split("\n").at(-1) ?? "");
  try {
    const { Credentials: keys } = JSON.parse(done.stdout) as {
      Credentials: { AccessKeyId: string; SecretAccessKey: string; SessionToken: string };
    };
    return {
      accessKey: keys.AccessKeyId,
      secretKey: keys.SecretAccessKey,
      sessionToken: keys.SessionToken,
    };
  } catch {
    throw refused("the AWS CLI gave no keys"); // whose output is never told
  }
}
