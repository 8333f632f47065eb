import type { Prepared } from "../contracts/platform";
import type { StackCheck } from "../host/checks";
import type { Settings } from "../settings/schema";

type Target = Settings["target"];

/**
 * Looks whether `settings.target` can be deployed here; writes nothing. Targets are loaded only when
 * they are used.
 *
 * @returns the settings that hold there, and what declares the platform's resources
 * @throws UserError with what is in the way
 */
export async function preparePlatform(
  settings: Settings,
  stack: string,
  id?: string,
): Promise<Prepared<Settings>> {
  switch (settings.target) {
    case "local": {
      const { prepare } = await import("./local/platform");
      return prepare(settings, stack, id);
    }
    case "cluster": {
      const { prepare } = await import("./cluster/platform");
      return prepare(settings, stack, id);
    }
    case "docker": {
      const { prepare } = await import("./docker/platform");
      return prepare(settings, stack, id);
    }
  }
}

/** The checks of a target, causes first: what comes later may be their effect. */
export async function checksOf(target: Target): Promise<readonly StackCheck[]> {
  switch (target) {
    case "local":
      return (await import("./local/checks")).checks;
    case "cluster":
      return (await import("./cluster/checks")).checks;
    case "docker":
      return (await import("./docker/checks")).checks;
  }
}
