"""What agekit brings itself. It comes in through the same door as every plugin, and sees what a third party sees."""

from __future__ import annotations

from ..hooks import hookimpl
from ..registry import Registries


@hookimpl
def agekit_register(registries: Registries) -> None:
    """Put the built-ins on their shelves."""
    _losses(registries)
    _rules(registries)
    _networks(registries)
    _datasets(registries)


def _losses(registries: Registries) -> None:
    from . import comparisons, divergences, losses, metrics, operators, reciprocities, references

    registries.references.add("sphere", references.Sphere)
    registries.references.add("gaussian", references.Gaussian)
    registries.references.add("uniform", references.Uniform)
    registries.divergences.add("gaussian_kl", divergences.GaussianKL)
    registries.divergences.add("kl_sphere", divergences.SphereKL)
    registries.divergences.add("kl_gaussian", divergences.StandardKL)
    registries.divergences.add("mmd", divergences.MMD)
    registries.divergences.add("energy", divergences.EnergyDistance)
    registries.divergences.add("uniformity", divergences.Uniformity)
    registries.divergences.add("gaussian_kl_full", divergences.FullGaussianKL)
    registries.divergences.add("frechet", divergences.Frechet)
    registries.divergences.add("kl_vmf", divergences.VonMisesFisherKL)
    registries.divergences.add("kl_neighbours", divergences.NeighbourKL)
    registries.divergences.add("sliced_wasserstein", divergences.SlicedWasserstein)
    registries.divergences.add("sigreg", divergences.SIGReg)
    registries.divergences.add("cramer_wold", divergences.CramerWold)
    registries.divergences.add("ksd", divergences.KernelStein)
    registries.divergences.add("moments", divergences.MomentMatching)
    registries.reciprocities.add("l1", reciprocities.L1)
    registries.reciprocities.add("l2", reciprocities.L2)
    registries.reciprocities.add("cosine", reciprocities.Cosine)
    registries.losses.add("cross_entropy", losses.CrossEntropy)
    registries.metrics.add("iou", metrics.IoU)
    registries.metrics.add("psnr", metrics.PSNR)
    registries.metrics.add("ssim", metrics.SSIM)
    registries.metrics.add("sharpness", metrics.Sharpness)
    registries.metrics.add("edges", metrics.Edges)
    registries.metrics.add("spread", metrics.Spread)
    registries.metrics.add("spectrum", metrics.Spectrum)
    registries.metrics.add("prdc", comparisons.PRDC)
    registries.metrics.add("neighbours", comparisons.Neighbours)
    registries.operators.add("stop", operators.Stop)
    registries.operators.add("mix", operators.Mix)
    registries.operators.add("grey", operators.Grey)


def _rules(registries: Registries) -> None:
    from . import controllers, optimizers, schedules

    registries.schedules.add("constant", schedules.Constant)
    registries.schedules.add("linear", schedules.Linear)
    registries.schedules.add("cosine", schedules.Cosine)
    registries.schedules.add("steps", schedules.Steps)
    registries.controllers.add("bang_bang", controllers.BangBang)
    registries.controllers.add("margin", controllers.Margin)
    registries.controllers.add("gradient_balance", controllers.GradientBalance)
    registries.optimizers.add("adam", optimizers.Adam)
    registries.optimizers.add("adamw", optimizers.AdamW)
    registries.optimizers.add("sgd", optimizers.SGD)


def _networks(registries: Registries) -> None:
    from . import dcgan, small

    registries.generators.add("dcgan", dcgan.DCGANGenerator)
    registries.encoders.add("dcgan", dcgan.DCGANEncoder)
    registries.generators.add("small", small.SmallGenerator)
    registries.encoders.add("small", small.SmallEncoder)


def _datasets(registries: Registries) -> None:
    from . import celeba, cifar, face_probe, folder, mnist, svhn, tiny_imagenet, toyfaces

    registries.datasets.add("toyfaces", toyfaces.ToyFaces)
    registries.datasets.add("image_folder", folder.ImageFolder)
    registries.datasets.add("celeba", celeba.CelebA)
    registries.datasets.add("cifar10", cifar.Cifar10)
    registries.datasets.add("svhn", svhn.Svhn)
    registries.datasets.add("tiny_imagenet", tiny_imagenet.TinyImageNet)
    registries.datasets.add("mnist", mnist.Mnist)
    registries.datasets.add("fashion_mnist", mnist.FashionMnist)
    registries.metrics.add("face_probe", face_probe.FaceProbe)
