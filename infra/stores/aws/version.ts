/** The provider of @pulumi/aws 7.48.0, which the Pulumi CLI downloads for the stacks that ask for it. */
export const awsVersion = "7.48.0";
