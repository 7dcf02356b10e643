// The buffers of a kernel. Included by fused_kernel.h.

// Scratch memory for one problem: a slot for each latent vector of a block. The offsets of its
// parts within the slot are in numbers of Real.
template <class V>
class Workspace {
 public:
  using Real = typename V::Real;

  Workspace(const MisfitView<Real>& problem, void* memory) : base_(static_cast<Real*>(memory)) {
    std::size_t widest = V::kMaxTile * V::kLanes;
    for (std::int32_t i = 0; i < problem.num_layers; ++i) {
      const std::size_t inputs = problem.layers[i].inputs;
      if (inputs > widest) widest = inputs;
    }
    // Whole vectors are written, so up to a vector beyond the end.
    units_size_ = (widest / kUnit + 2) * kUnit;
    sums_at_ = 2 * problem.num_layers * units_size_;
    gradient_at_ = sums_at_ + (units_size_ / V::kFold) * V::kLanes;
    counts_at_ = gradient_at_ + 2 * units_size_;
    size_ = ((counts_at_ + problem.num_layers) / kUnit + 1) * kUnit;
  }

  std::size_t slot_bytes() const { return size_ * sizeof(Real); }

  // Values of the units that feed layer `i`, from 1 on; those of layer 0 are the latent vector.
  Real* units(std::int32_t slot, std::int32_t i) const {
    return base_ + slot * size_ + 2 * i * units_size_;
  }
  // The list of the units that feed layer `i`. An index takes no more room than a number.
  UnitList list(std::int32_t slot, std::int32_t i) const {
    return {reinterpret_cast<std::int32_t*>(units(slot, i) + units_size_), count(slot, i)};
  }
  std::int32_t& count(std::int32_t slot, std::int32_t i) const {
    return reinterpret_cast<std::int32_t*>(base_ + slot * size_ + counts_at_)[i];
  }
  // Partial sums of each unit that feeds the pixels, in the order of its list.
  // [units / kFold][lanes]
  Real* sums(std::int32_t slot) const { return base_ + slot * size_ + sums_at_; }
  // Gradient for the units that feed layer `i`; two layers in succession do not share memory.
  Real* gradient(std::int32_t slot, std::int32_t i) const {
    return base_ + slot * size_ + gradient_at_ + i % 2 * units_size_;
  }
  // One tile of pixels, then the gradient for it.
  Real* tile(std::int32_t slot) const { return gradient(slot, 0); }

 private:
  static constexpr std::size_t kUnit = 16;  // keeps every part aligned to 64 bytes

  Real* base_;
  std::size_t units_size_;
  std::size_t sums_at_;
  std::size_t gradient_at_;
  std::size_t counts_at_;
  std::size_t size_;
};
