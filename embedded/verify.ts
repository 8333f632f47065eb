import { hash } from "node:crypto";
import * as z from "zod";
import { dependencyUrns } from "./graph";
import type { Deployment, Resource } from "./types";

/** That value and no other; the answer names what was found. */
const exactly = <T extends string | number>(value: T) =>
  z.literal(value, {
    error: ({ input }) => `expected ${JSON.stringify(value)}, found ${JSON.stringify(input)}`,
  });

const urn = z.string().startsWith("urn:pulumi:");

/** Pulumi writes null for an empty list. */
const urns = z.preprocess((list) => list ?? [], z.array(urn));

/** What this program reads of a resource; other fields are let through. */
const resource = z.looseObject({
  urn,
  type: z.string().min(1),
  custom: z.boolean(),
  id: z.string().optional(),
  provider: z.string().optional(),
  dependencies: z.array(urn).nullish(),
  propertyDependencies: z.record(z.string(), urns).nullish(),
});

const deployment = z.looseObject({
  version: exactly(3),
  deployment: z.looseObject({
    manifest: z.looseObject({ magic: z.string(), version: z.string() }),
    secrets_providers: z
      .looseObject({ type: exactly("passphrase"), state: z.looseObject({ salt: z.string() }) })
      .optional(),
    resources: z.array(resource).nullish(),
    pending_operations: z.array(z.looseObject({ type: z.string(), resource })).nullish(),
  }),
});

/**
 * Checks that parsed JSON is a whole deployment, as Pulumi checks its snapshots
 * (pkg/resource/deploy/snapshot.go of pulumi/pulumi).
 *
 * @throws Error that says what is wrong, and where
 */
export function verifyDeployment(parsed: unknown): Deployment {
  const { data, error } = deployment.safeParse(parsed);
  if (!data) {
    const { path, message } = error.issues[0];
    throw new Error(`${z.core.toDotPath(path) || "the whole"}: ${message}`);
  }
  const { magic, version } = data.deployment.manifest;
  if (magic !== magicOf(version)) {
    throw new Error(`deployment.manifest.magic does not fit the version ${version}`);
  }
  verifyResources((data.deployment.resources ?? []) as Resource[]);
  return data as unknown as Deployment;
}

/** The format's check that a manifest is whole. @param version of the engine, as `v3.248.0` */
export function magicOf(version: string): string {
  return hash("sha256", version);
}

/** @throws Error when a resource has no id, is there twice, or comes before what it depends on */
export function verifyResources(resources: readonly Resource[]): void {
  const seen = new Set<string>();
  const live = new Set<string>();
  for (const resource of resources) {
    if (resource.custom && !resource.id) throw new Error(`${resource.urn} has no id`);
    for (const urn of dependencyUrns(resource)) {
      if (!seen.has(urn)) {
        throw new Error(`${resource.urn} refers to ${urn}, which does not come before it`);
      }
    }
    if (!resource.delete && live.has(resource.urn)) {
      throw new Error(`${resource.urn} is there twice`);
    }
    seen.add(resource.urn);
    if (!resource.delete) live.add(resource.urn);
  }
}
