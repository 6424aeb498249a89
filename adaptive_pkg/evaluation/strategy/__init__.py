"""The strategy lab: walk-forward, baselines, ablation, luck, attribution, claims; each with its interval."""
