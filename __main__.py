"""The Pulumi program of this project: `pulumi up -s <application>.<stage>`."""

from velapulumi.program.stage import main

main()
