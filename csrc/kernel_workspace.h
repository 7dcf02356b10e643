// The buffers of a kernel. Included by fused_kernel.h.

// Scratch memory with one slot for each latent vector of a block. Offsets within a slot are
// counted in elements of type Real.
template <class V>
class Workspace {
 public:
  using Real = typename V::Real;

  Workspace(const MisfitView<Real>& view, void* memory) : base_(static_cast<Real*>(memory)) {
    std::size_t widest = V::kMaxTile * V::kLanes;
    for (std::int32_t i = 0; i < view.num_layers; ++i) {
      const std::size_t inputs = view.layers[i].inputs;
      if (inputs > widest) widest = inputs;
    }
    // Whole vectors are written, so a buffer may be overrun by up to one vector.
    units_size_ = (widest / kAlignment + 2) * kAlignment;
    sums_offset_ = 2 * view.num_layers * units_size_;
    gradient_offset_ = sums_offset_ + (units_size_ / V::kFold) * V::kLanes;
    list_sizes_offset_ = gradient_offset_ + 2 * units_size_;
    slot_size_ = ((list_sizes_offset_ + view.num_layers) / kAlignment + 1) * kAlignment;
  }

  std::size_t slot_bytes() const { return slot_size_ * sizeof(Real); }

  // Values of the units that feed layer `i`, from 1 on; layer 0 reads the latent vector itself.
  Real* units(std::int32_t slot, std::int32_t i) const {
    return base_ + slot * slot_size_ + 2 * i * units_size_;
  }
  // The list of the units that feed layer `i`, stored as int32 in the space of as many Reals.
  UnitList list(std::int32_t slot, std::int32_t i) const {
    return {reinterpret_cast<std::int32_t*>(units(slot, i) + units_size_), list_size(slot, i)};
  }
  std::int32_t& list_size(std::int32_t slot, std::int32_t i) const {
    return reinterpret_cast<std::int32_t*>(base_ + slot * slot_size_ + list_sizes_offset_)[i];
  }
  // Partial sums of the units that feed the pixels, in list order. [units / kFold][lanes]
  Real* sums(std::int32_t slot) const { return base_ + slot * slot_size_ + sums_offset_; }
  // Gradient with respect to the units that feed layer `i`. Adjacent layers have different
  // buffers.
  Real* gradient(std::int32_t slot, std::int32_t i) const {
    return base_ + slot * slot_size_ + gradient_offset_ + i % 2 * units_size_;
  }
  // One tile of pixels, which the gradient with respect to it replaces.
  Real* tile(std::int32_t slot) const { return gradient(slot, 0); }

 private:
  static constexpr std::size_t kAlignment = 16;  // in Reals; aligns every buffer to 64 bytes

  Real* base_;
  std::size_t units_size_;
  std::size_t sums_offset_;
  std::size_t gradient_offset_;
  std::size_t list_sizes_offset_;
  std::size_t slot_size_;
};
