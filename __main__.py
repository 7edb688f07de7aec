"""The Pulumi program of this project: `pulumi up -s <application>.<stage>`."""

from velapulumi.stage.program import main

main()
