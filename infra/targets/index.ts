import type { Prepared } from "../contracts/platform";
import type { Settings } from "../settings/schema";

/**
 * Looks whether `settings.target` can stand here; writes nothing. Targets are loaded only when they
 * are used.
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
