"""The demo model: a small Stable Diffusion pipeline that draws one coloured shape."""
